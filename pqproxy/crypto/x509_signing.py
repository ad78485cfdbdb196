"""Signing certificates, requests and revocation lists with any key, composite ones included.

`cryptography` builds these, and signs them with every key that it knows. For composite keys it
builds one with a stand-in, whose key and algorithm are then exchanged and the rest left as it was
(RFC 5280 §4.1 and §5.1, RFC 2986 §4): no encoding of names, dates or extensions is ours.
"""

from typing import Annotated, Any

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pqproxy.crypto.algorithms import PrivateKey, PublicKey
from pqproxy.crypto.composite import CompositeSignature, verify_by_openssl
from pqproxy.crypto.composite_keys import CompositePrivateKey, CompositePublicKey
from pqproxy.crypto.errors import CryptoError
from pqproxy.crypto.expanded_keys import ExpandedPrivateKey
from pqproxy.crypto.spki import (
    AlgorithmIdentifier,
    CertificationRequestInfo,
    TbsCertificate,
    encode_public_key,
)


@asn1.sequence
class _TbsCertList:
    version: int
    signature: asn1.TLV
    issuer: asn1.TLV
    this_update: asn1.TLV
    next_update: asn1.UTCTime | asn1.GeneralizedTime | None
    revoked_certificates: list[asn1.TLV] | None
    extensions: Annotated[list[asn1.TLV] | None, asn1.Explicit(0)]


@asn1.sequence
class _Signed:
    """The outer shape of all three."""

    to_be_signed: asn1.TLV
    algorithm: AlgorithmIdentifier
    signature: asn1.BitString


def sign_certificate(
    builder: x509.CertificateBuilder, subject_key: PublicKey, issuer_key: PrivateKey
) -> x509.Certificate:
    """Sign a certificate, complete but for its key.

    Raises CryptoError where a composite key would be certified by a key that is none, and for an
    expanded one.
    """
    if not isinstance(issuer_key, CompositePrivateKey):
        if isinstance(subject_key, CompositePublicKey):
            raise CryptoError("a composite key is certified by a composite authority only")
        return builder.public_key(subject_key).sign(
            _library_key(issuer_key), signature_hash(issuer_key)
        )
    stand_in = subject_key.ml_dsa if isinstance(subject_key, CompositePublicKey) else subject_key
    unsigned = builder.public_key(stand_in).create_unsigned().tbs_certificate_bytes
    tbs = asn1.decode_der(TbsCertificate, unsigned)
    tbs.signature = _algorithm(issuer_key)
    tbs.public_key = asn1.decode_der(asn1.TLV, encode_public_key(subject_key))
    return x509.load_der_x509_certificate(_sign(asn1.encode_der(tbs), issuer_key))


def sign_request(
    builder: x509.CertificateSigningRequestBuilder, key: PrivateKey
) -> x509.CertificateSigningRequest:
    """Sign a request to certify the public half of `key`.

    Raises CryptoError for an expanded one.
    """
    if not isinstance(key, CompositePrivateKey):
        return builder.sign(_library_key(key), signature_hash(key))
    stand_in = builder.sign(key.ml_dsa, None)
    info = asn1.decode_der(CertificationRequestInfo, stand_in.tbs_certrequest_bytes)
    info.public_key = asn1.decode_der(asn1.TLV, encode_public_key(key.public_key()))
    return x509.load_der_x509_csr(_sign(asn1.encode_der(info), key))


def sign_revocation_list(
    builder: x509.CertificateRevocationListBuilder, issuer_key: PrivateKey
) -> x509.CertificateRevocationList:
    """Sign a revocation list. Raises CryptoError for an expanded key."""
    if not isinstance(issuer_key, CompositePrivateKey):
        return builder.sign(_library_key(issuer_key), signature_hash(issuer_key))
    stand_in = builder.sign(issuer_key.ml_dsa, None)
    tbs = asn1.decode_der(_TbsCertList, stand_in.tbs_certlist_bytes)
    tbs.signature = _algorithm(issuer_key)
    return x509.load_der_x509_crl(_sign(asn1.encode_der(tbs), issuer_key))


def signature_hash(key: PrivateKey) -> hashes.SHA256 | hashes.SHA384 | None:
    """The hash under signatures of a key; None for keys whose algorithm has its own."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return hashes.SHA384() if key.curve.key_size > 256 else hashes.SHA256()
    return hashes.SHA256() if isinstance(key, rsa.RSAPrivateKey) else None


def subject_key_identifier(key: PublicKey) -> x509.SubjectKeyIdentifier:
    """SHA-1 of the key (RFC 5280 §4.2.1.2): a name, not a proof."""
    if isinstance(key, CompositePublicKey):
        digest = hashes.Hash(hashes.SHA1())  # noqa: S303 - what the field holds by definition
        digest.update(key.public_bytes_raw())
        return x509.SubjectKeyIdentifier(digest.finalize())
    return x509.SubjectKeyIdentifier.from_public_key(key)


def authority_key_identifier(key: PublicKey) -> x509.AuthorityKeyIdentifier:
    """The same, in what an authority with that key signs."""
    return x509.AuthorityKeyIdentifier(subject_key_identifier(key).key_identifier, None, None)


def _library_key(key: PrivateKey) -> Any:
    """Return a key of the library, which is what all but composite and expanded ones are."""
    if isinstance(key, ExpandedPrivateKey):
        raise CryptoError("a key in the expanded form signs no certificates, requests or lists")
    return key


def _algorithm(key: CompositePrivateKey) -> Any:
    identifier = AlgorithmIdentifier(algorithm=key.algorithm.oid)
    return asn1.decode_der(asn1.TLV, asn1.encode_der(identifier))


def _sign(to_be_signed: bytes, key: CompositePrivateKey) -> bytes:
    signature = CompositeSignature(key.algorithm, verify_by_openssl, "openssl")
    signed = _Signed(
        to_be_signed=asn1.decode_der(asn1.TLV, to_be_signed),
        algorithm=AlgorithmIdentifier(algorithm=key.algorithm.oid),
        signature=asn1.BitString(signature.sign(key, to_be_signed), 0),
    )
    return asn1.encode_der(signed)
