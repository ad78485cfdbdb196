"""Writes known answers for composite signatures, beside those of the draft.

    python -m tests.vectors.record_composite

Made by the primitives of `cryptography` alone, put together by hand after
draft-ietf-lamps-pq-composite-sigs-19, so that none of our own code is its own witness. Keys come
from fixed seeds; signatures are random once, but for their Ed25519 halves.
"""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PATH = Path(__file__).parent / "composite.json"
ORIGIN = (
    "tests/vectors/record_composite.py: ML-DSA, ECDSA and Ed25519 of the Python package "
    "cryptography, put together by hand"
)
SEED, SCALAR = bytes(range(32)), bytes(range(1, 33))  # the latter below each curve's order
MESSAGE, CONTEXT = b"The quick brown fox jumps over the lazy dog.", b"pqproxy known answer"
PREFIX = b"CompositeAlgorithmSignatures2025"

P256, P384 = (
    # (curve, hash, DER of the curve's OID, length of a scalar)
    (ec.SECP256R1(), hashes.SHA256(), bytes.fromhex("06082a8648ce3d030107"), 32),
    (ec.SECP384R1(), hashes.SHA384(), bytes.fromhex("06052b81040022"), 48),
)
ALGORITHMS = {
    # name: (last arc, ML-DSA, the other half, hash of the message)
    "MLDSA65-ECDSA-P256-SHA512": (45, mldsa.MLDSA65PrivateKey, P256, hashlib.sha512),
    "MLDSA87-ECDSA-P384-SHA512": (49, mldsa.MLDSA87PrivateKey, P384, hashlib.sha512),
    "MLDSA65-Ed25519-SHA512": (48, mldsa.MLDSA65PrivateKey, None, hashlib.sha512),
    "MLDSA44-ECDSA-P256-SHA256": (40, mldsa.MLDSA44PrivateKey, P256, hashlib.sha256),
}


def der(tag, content):
    """One value, its length in the shortest form."""
    length = len(content)
    if length < 128:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(size)]) + size + content


def representative(name, message, context):
    """Return M' (§3.2)."""
    label, digest = b"COMPSIG-" + name.encode(), ALGORITHMS[name][3](message).digest()
    return PREFIX + label + bytes([len(context)]) + context + digest


def private_key(name):
    """Return PKCS#8 with mldsaSeed ‖ tradSK (§4.2, §5.3)."""
    arc, _, curve, _ = ALGORITHMS[name]
    traditional = SCALAR
    if curve:
        scalar = SCALAR.rjust(curve[3], b"\1")
        fields = b"\x02\x01\x01" + der(0x04, scalar) + der(0xA0, curve[2])
        traditional = der(0x30, fields)
    algorithm = der(0x30, bytes.fromhex("06082b060105050706") + bytes([arc]))
    return der(0x30, b"\x02\x01\x00" + algorithm + der(0x04, SEED + traditional))


def keys(name):
    """Return the ML-DSA key and the other."""
    _, ml_dsa, curve, _ = ALGORITHMS[name]
    first = ml_dsa.from_seed_bytes(SEED)
    if not curve:
        return first, ed25519.Ed25519PrivateKey.from_private_bytes(SCALAR)
    scalar = int.from_bytes(SCALAR.rjust(curve[3], b"\1"))
    return first, ec.derive_private_key(scalar, curve[0])


def public_key(name):
    """Return mldsaPK ‖ tradPK (§4.1)."""
    first, second = keys(name)
    if isinstance(second, ed25519.Ed25519PrivateKey):
        return first.public_key().public_bytes_raw() + second.public_key().public_bytes_raw()
    point = second.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return first.public_key().public_bytes_raw() + point


def signature(name):
    """Return mldsaSig ‖ tradSig (§4.3), another one each time."""
    first, second = keys(name)
    signed = representative(name, MESSAGE, CONTEXT)
    curve = ALGORITHMS[name][2]
    parameters = (ec.ECDSA(curve[1]),) if curve else ()
    return first.sign(signed, b"COMPSIG-" + name.encode()) + second.sign(signed, *parameters)


def main():
    """Write the file."""
    answers = {
        name: {
            "private_key": private_key(name).hex(),
            "public_key": base64.b64encode(public_key(name)).decode(),
            "representative": representative(name, MESSAGE, CONTEXT).hex(),
            "signature": base64.b64encode(signature(name)).decode(),
        }
        for name in ALGORITHMS
    }
    known = {"origin": ORIGIN, "message": MESSAGE.hex(), "context": CONTEXT.hex(), **answers}
    PATH.write_text(json.dumps(known, indent=1) + "\n")


if __name__ == "__main__":
    main()
