"""Private keys in PKCS#8 that `cryptography` refuses: ML-DSA (RFC 9881 §6) and composite ones.

ML-DSA has three forms: `seed`, `expanded` and `both`. Go and `cryptography` write and read the
seed (the latter only without a public key beside it), OpenSSL writes both. A seed can be taken out
of both; nothing leads from an expanded key back to its seed, so that form is named and refused.
"""

import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric import mldsa
from cryptography.x509 import ObjectIdentifier

from pqproxy.crypto.composite_halves import MlDsaPrivateKey
from pqproxy.crypto.composite_keys import COMPOSITE_BY_OID, CompositePrivateKey
from pqproxy.crypto.errors import PrivateKeyError

_SEED_HEADER = b"\x80\x20"  # [0] IMPLICIT OCTET STRING of 32 bytes
_EXPANDED_TAG, _BOTH_TAG = b"\x04", b"\x30"
_VERSIONS = (0, 1)  # v2 is what a public key beside it needs; not all who write one say so


@dataclass(frozen=True, slots=True)
class _ParameterSet:
    name: str
    private_key: type[MlDsaPrivateKey]
    expanded_length: int  # FIPS 204, table 2


_PARAMETER_SETS = {
    "2.16.840.1.101.3.4.3.17": _ParameterSet("ML-DSA-44", mldsa.MLDSA44PrivateKey, 2560),
    "2.16.840.1.101.3.4.3.18": _ParameterSet("ML-DSA-65", mldsa.MLDSA65PrivateKey, 4032),
    "2.16.840.1.101.3.4.3.19": _ParameterSet("ML-DSA-87", mldsa.MLDSA87PrivateKey, 4896),
}


@asn1.sequence
class _AlgorithmIdentifier:
    """Neither has parameters; what has some does not decode, and is none of our business."""

    algorithm: ObjectIdentifier


@asn1.sequence
class _OneAsymmetricKey:
    """RFC 5958 §2."""

    version: int
    algorithm: _AlgorithmIdentifier
    private_key: bytes
    attributes: Annotated[asn1.SetOf[asn1.TLV] | None, asn1.Implicit(0)]
    public_key: Annotated[asn1.BitString | None, asn1.Implicit(1)]


@asn1.sequence
class _Both:
    seed: bytes
    expanded_key: bytes


def read_pkcs8(der: bytes) -> MlDsaPrivateKey | CompositePrivateKey | None:
    """Return the key, or None for what is neither ML-DSA nor composite.

    Raises PrivateKeyError for one that cannot be used.
    """
    try:
        outer = asn1.decode_der(_OneAsymmetricKey, der)
    except ValueError:
        return None
    if outer.version not in _VERSIONS:
        return None
    content = outer.private_key
    key: MlDsaPrivateKey | CompositePrivateKey
    if composite := COMPOSITE_BY_OID.get(outer.algorithm.algorithm):
        key = composite.read_private_key(content)
    elif parameters := _PARAMETER_SETS.get(outer.algorithm.algorithm.dotted_string):
        key = _read_ml_dsa(parameters, content)
    else:
        return None
    _check_public_key(outer.public_key, key)
    return key


def encode_pkcs8(key: CompositePrivateKey) -> bytes:
    """Return the DER of a composite key (§5.3 of the draft)."""
    outer = _OneAsymmetricKey(
        version=0,
        algorithm=_AlgorithmIdentifier(algorithm=key.algorithm.oid),
        private_key=key.private_bytes_raw(),
        attributes=None,
        public_key=None,
    )
    return asn1.encode_der(outer)


def _check_public_key(
    found: asn1.BitString | None, key: MlDsaPrivateKey | CompositePrivateKey
) -> None:
    """Refuse a public key beside the private one that is not its own."""
    if found is None:
        return
    if found.padding_bits() or found.as_bytes() != key.public_key().public_bytes_raw():
        raise PrivateKeyError(
            "the private key has a public key beside it that does not belong to it; "
            "export it again from where it was made"
        )


def _read_ml_dsa(parameters: _ParameterSet, content: bytes) -> MlDsaPrivateKey:
    if content.startswith(_SEED_HEADER):
        return _from_seed(parameters, content[len(_SEED_HEADER) :])
    if content.startswith(_BOTH_TAG):
        return _read_both(parameters, content)
    if content.startswith(_EXPANDED_TAG):
        raise PrivateKeyError(
            f"{parameters.name} key in the expanded form, without its seed, which pqproxy needs "
            "and which cannot be computed back; export it with its seed from where it was made, "
            f"or make a new one: openssl genpkey -algorithm {parameters.name} -out KEY"
        )
    raise PrivateKeyError(f"{parameters.name} key is in none of the forms of RFC 9881")


def _from_seed(parameters: _ParameterSet, seed: bytes) -> MlDsaPrivateKey:
    try:
        return parameters.private_key.from_seed_bytes(seed)
    except ValueError:
        pass
    # Outside the handler: nobody promises that the library's message holds no part of the key.
    raise PrivateKeyError(f"{parameters.name} key has a seed of the wrong length")


def _read_both(parameters: _ParameterSet, content: bytes) -> MlDsaPrivateKey:
    both = None
    with suppress(ValueError):
        both = asn1.decode_der(_Both, content)
    if both is None:  # raised here for the same reason
        raise PrivateKeyError(f"{parameters.name} key is damaged")
    key = _from_seed(parameters, both.seed)
    # RFC 9881 §6: the two halves must belong together. An expanded key begins with the seed of
    # its matrix, K, and the hash of the public key (FIPS 204, algorithm 24).
    public_key = key.public_key().public_bytes_raw()
    expected = public_key[:32] + hashlib.shake_256(public_key).digest(64)
    found = both.expanded_key[:32] + both.expanded_key[64:128]
    right_length = len(both.expanded_key) == parameters.expanded_length
    if not (hmac.compare_digest(expected, found) and right_length):
        raise PrivateKeyError(
            f"{parameters.name} key holds a seed and an expanded key that do not belong together"
        )
    return key
