"""The halves that composite keys are made of: how each is made, written, read, and signs.

ML-DSA as in FIPS 204, ECDSA keys as in RFC 5480 and RFC 5915, Ed25519 as in RFC 8032. The keys are
typed loosely here: that a half only ever meets keys of its own is `composite_keys`' to see to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import ObjectIdentifier

MlDsaPrivateKey = mldsa.MLDSA44PrivateKey | mldsa.MLDSA65PrivateKey | mldsa.MLDSA87PrivateKey
MlDsaPublicKey = mldsa.MLDSA44PublicKey | mldsa.MLDSA65PublicKey | mldsa.MLDSA87PublicKey
TraditionalPrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
TraditionalPublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey


@dataclass(frozen=True, slots=True)
class MlDsaHalf:
    """The ML-DSA half of an algorithm (FIPS 204, table 2)."""

    name: str
    private_key: type[MlDsaPrivateKey]
    public_key: type[MlDsaPublicKey]
    public_key_length: int
    signature_length: int


@dataclass(frozen=True, slots=True)
class EcHalf:
    """An ECDSA half: keys are an uncompressed point and RFC 5915's ECPrivateKey."""

    name: str
    curve: ec.EllipticCurve
    curve_oid: ObjectIdentifier
    hash_algorithm: hashes.HashAlgorithm

    def generate(self) -> ec.EllipticCurvePrivateKey:
        """Make a key."""
        return ec.generate_private_key(self.curve)

    def read_public_key(self, raw: bytes) -> ec.EllipticCurvePublicKey:
        """Read a point. Raises ValueError for one in another form, or not on the curve."""
        if raw[:1] != b"\x04":
            raise ValueError("the point is not uncompressed")
        return ec.EllipticCurvePublicKey.from_encoded_point(self.curve, raw)

    def public_bytes(self, key: TraditionalPublicKey) -> bytes:
        """The uncompressed point."""
        return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def read_private_key(self, raw: bytes) -> ec.EllipticCurvePrivateKey:
        """Read an ECPrivateKey. Raises ValueError.

        It needs neither name its curve, which we know, nor hold its point; §4 wants the one and
        forbids the other. But what it does hold must be true, or two programs read two keys.
        """
        decoded = asn1.decode_der(_EcPrivateKey, raw)
        if decoded.version != 1:
            raise ValueError("the key is of another version")
        if decoded.parameters not in (None, self.curve_oid):
            raise ValueError("the key is on another curve")
        if len(decoded.private_key) != (self.curve.key_size + 7) // 8:
            raise ValueError("the key has the wrong length")
        key = ec.derive_private_key(int.from_bytes(decoded.private_key), self.curve)
        if (point := decoded.public_key) is not None and (
            point.padding_bits() or self.read_public_key(point.as_bytes()) != key.public_key()
        ):
            raise ValueError("the key holds the public key of another")
        return key

    def private_bytes(self, key: TraditionalPrivateKey) -> bytes:
        """The ECPrivateKey, with its curve and without the public point, as §4 has it."""
        value = cast(ec.EllipticCurvePrivateKey, key).private_numbers().private_value
        raw = value.to_bytes((self.curve.key_size + 7) // 8)
        encoded = _EcPrivateKey(
            version=1, private_key=raw, parameters=self.curve_oid, public_key=None
        )
        return asn1.encode_der(encoded)

    def sign(self, key: TraditionalPrivateKey, message: bytes) -> bytes:
        """Sign: a DER sequence of two numbers."""
        return cast(ec.EllipticCurvePrivateKey, key).sign(message, ec.ECDSA(self.hash_algorithm))

    def verify(self, key: TraditionalPublicKey, signature: bytes, message: bytes) -> None:
        """Raise cryptography's InvalidSignature unless the signature is good."""
        public_key = cast(ec.EllipticCurvePublicKey, key)
        public_key.verify(signature, message, ec.ECDSA(self.hash_algorithm))


_ED25519_PRIME = 2**255 - 19
# The y of each point whose order divides 8, the cofactor (RFC 8032 §5.1).
_ORDER_8 = 0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7
_SMALL_ORDER = frozenset({0, 1, _ED25519_PRIME - 1, _ORDER_8, _ED25519_PRIME - _ORDER_8})


@dataclass(frozen=True, slots=True)
class Ed25519Half:
    """An Ed25519 half: keys are the 32 bytes of RFC 8032."""

    name: str = "Ed25519"

    def generate(self) -> ed25519.Ed25519PrivateKey:
        """Make a key."""
        return ed25519.Ed25519PrivateKey.generate()

    def read_public_key(self, raw: bytes) -> ed25519.Ed25519PublicKey:
        """Read a key. Raises ValueError for one that is not in its one form, or of small order.

        The library looks at the length only. Under a key of small order anybody's signature
        verifies, so that a composite key with such a half would be ML-DSA alone.
        """
        y = int.from_bytes(raw, "little") & ~(1 << 255)  # the last bit is the sign of x
        if y >= _ED25519_PRIME or y in _SMALL_ORDER:
            raise ValueError("the point is not in its one form, or of small order")
        return ed25519.Ed25519PublicKey.from_public_bytes(raw)

    def public_bytes(self, key: TraditionalPublicKey) -> bytes:
        """The raw key."""
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)

    def read_private_key(self, raw: bytes) -> ed25519.Ed25519PrivateKey:
        """Read a key. Raises ValueError."""
        return ed25519.Ed25519PrivateKey.from_private_bytes(raw)

    def private_bytes(self, key: TraditionalPrivateKey) -> bytes:
        """The raw key."""
        return cast(ed25519.Ed25519PrivateKey, key).private_bytes_raw()

    def sign(self, key: TraditionalPrivateKey, message: bytes) -> bytes:
        """Sign: 64 bytes."""
        return cast(ed25519.Ed25519PrivateKey, key).sign(message)

    def verify(self, key: TraditionalPublicKey, signature: bytes, message: bytes) -> None:
        """Raise cryptography's InvalidSignature unless the signature is good."""
        cast(ed25519.Ed25519PublicKey, key).verify(signature, message)


@asn1.sequence
class _EcPrivateKey:
    """RFC 5915 §3."""

    version: int
    private_key: bytes
    parameters: Annotated[ObjectIdentifier | None, asn1.Explicit(0)]
    public_key: Annotated[asn1.BitString | None, asn1.Explicit(1)]


ML_DSA_44 = MlDsaHalf("ML-DSA-44", mldsa.MLDSA44PrivateKey, mldsa.MLDSA44PublicKey, 1312, 2420)
ML_DSA_65 = MlDsaHalf("ML-DSA-65", mldsa.MLDSA65PrivateKey, mldsa.MLDSA65PublicKey, 1952, 3309)
ML_DSA_87 = MlDsaHalf("ML-DSA-87", mldsa.MLDSA87PrivateKey, mldsa.MLDSA87PublicKey, 2592, 4627)
P256 = EcHalf("ECDSA-P256-SHA256", ec.SECP256R1(), ec.EllipticCurveOID.SECP256R1, hashes.SHA256())
P384 = EcHalf("ECDSA-P384-SHA384", ec.SECP384R1(), ec.EllipticCurveOID.SECP384R1, hashes.SHA384())
ED25519 = Ed25519Half()
