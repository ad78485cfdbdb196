"""Public keys as certificates hold them: SubjectPublicKeyInfo (RFC 5280 §4.1.2.7).

`cryptography` knows all kinds of keys but composite ones; here they are told apart by their OID, so
that nobody above has to ask which kind a certificate holds before reading it.
"""

from typing import Annotated, cast

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.x509 import ObjectIdentifier

from pqproxy.crypto.algorithms import PublicKey
from pqproxy.crypto.composite_keys import COMPOSITE_BY_OID, CompositePublicKey


@asn1.sequence
class AlgorithmIdentifier:
    """Without parameters, as every composite has it (§5.3 of the draft)."""

    algorithm: ObjectIdentifier


@asn1.sequence
class SubjectPublicKeyInfo:
    """A key as a certificate holds it."""

    algorithm: AlgorithmIdentifier
    public_key: asn1.BitString


@asn1.sequence
class TbsCertificate:
    """RFC 5280 §4.1, with most of it left as it is."""

    version: Annotated[int | None, asn1.Explicit(0)]
    serial_number: int
    signature: asn1.TLV
    issuer: asn1.TLV
    validity: asn1.TLV
    subject: asn1.TLV
    public_key: asn1.TLV
    issuer_id: Annotated[asn1.BitString | None, asn1.Implicit(1)]
    subject_id: Annotated[asn1.BitString | None, asn1.Implicit(2)]
    extensions: Annotated[list[asn1.TLV] | None, asn1.Explicit(3)]


@asn1.sequence
class CertificationRequestInfo:
    """RFC 2986 §4.1."""

    version: int
    subject: asn1.TLV
    public_key: asn1.TLV
    attributes: Annotated[asn1.SetOf[asn1.TLV], asn1.Implicit(0)]


def encode_public_key(key: PublicKey) -> bytes:
    """Return the DER of a key."""
    if isinstance(key, CompositePublicKey):
        info = SubjectPublicKeyInfo(
            algorithm=AlgorithmIdentifier(algorithm=key.algorithm.oid),
            public_key=asn1.BitString(key.public_bytes_raw(), 0),
        )
        return asn1.encode_der(info)
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def read_public_key(der: bytes) -> PublicKey:
    """Read the DER of a key.

    Raises UnsupportedAlgorithm for a kind that is not known, and ValueError for what does
    not parse.
    """
    try:
        info = asn1.decode_der(SubjectPublicKeyInfo, der)
    except ValueError:
        info = None  # parameters beside the algorithm: none of ours
    if info is None or info.algorithm.algorithm not in COMPOSITE_BY_OID:
        return cast(PublicKey, load_der_public_key(der))
    return _composite_key(info)


def certificate_key(certificate: x509.Certificate) -> PublicKey:
    """Return the key that a certificate certifies. Raises as `read_public_key` does."""
    if certificate.public_key_algorithm_oid not in COMPOSITE_BY_OID:
        return cast(PublicKey, certificate.public_key())
    tbs = asn1.decode_der(TbsCertificate, certificate.tbs_certificate_bytes)
    return _composite_key(tbs.public_key.parse(SubjectPublicKeyInfo))


def request_key(request: x509.CertificateSigningRequest) -> PublicKey:
    """Return the key that a request asks to be certified. Raises as `read_public_key` does."""
    algorithm = request.public_key_algorithm_oid  # type: ignore[attr-defined] # stubs lack it
    if algorithm not in COMPOSITE_BY_OID:
        return cast(PublicKey, request.public_key())
    tbs = asn1.decode_der(CertificationRequestInfo, request.tbs_certrequest_bytes)
    return _composite_key(tbs.public_key.parse(SubjectPublicKeyInfo))


def _composite_key(info: SubjectPublicKeyInfo) -> CompositePublicKey:
    if info.public_key.padding_bits():
        raise ValueError("the key is not a whole number of bytes")
    return COMPOSITE_BY_OID[info.algorithm.algorithm].read_public_key(info.public_key.as_bytes())
