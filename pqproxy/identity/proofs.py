"""Whether requests, lists and certificates are signed by the key that they should be signed by.

`cryptography` checks those of every kind but composite ones, whose halves are both checked here.
"""

from cryptography import exceptions, x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes

from pqproxy.crypto.algorithms import PublicKey
from pqproxy.crypto.composite import CompositeSignature, verify_by_openssl
from pqproxy.crypto.composite_keys import CompositePublicKey
from pqproxy.crypto.errors import InvalidSignature
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.names import MALFORMED


def request_fault(request: x509.CertificateSigningRequest, key: PublicKey) -> str | None:
    """Return why a request is not proved by its own key, or None: whoever made it has the key."""
    if isinstance(key, CompositePublicKey):
        return _composite_fault(key, request, request.tbs_certrequest_bytes)
    try:
        return None if request.is_signature_valid else "the signature does not verify"
    except MALFORMED as error:
        return f"the signature cannot be checked: {error}"


def revocation_list_fault(
    revocation_list: x509.CertificateRevocationList, key: PublicKey
) -> str | None:
    """Return why a revocation list is not signed with a key, or None."""
    if isinstance(key, CompositePublicKey):
        return _composite_fault(key, revocation_list, revocation_list.tbs_certlist_bytes)
    issuer: CertificateIssuerPublicKeyTypes = key
    try:
        valid = revocation_list.is_signature_valid(issuer)
    except (TypeError, *MALFORMED) as error:
        return f"the signature cannot be checked: {error}"
    return None if valid else "the signature does not verify"


def certificate_fault(certificate: x509.Certificate, issuer: x509.Certificate) -> str | None:
    """Return why a certificate is not signed with the key of another, or None."""
    key = certificate_key(issuer)
    if isinstance(key, CompositePublicKey):
        return _composite_fault(key, certificate, certificate.tbs_certificate_bytes)
    try:
        certificate.verify_directly_issued_by(issuer)
    except (exceptions.InvalidSignature, *MALFORMED):
        return "the signature does not verify"
    return None


def _composite_fault(
    key: CompositePublicKey,
    signed: x509.CertificateSigningRequest | x509.CertificateRevocationList | x509.Certificate,
    to_be_signed: bytes,
) -> str | None:
    """The message says of each half whether it verifies."""
    if signed.signature_algorithm_oid != key.algorithm.oid:
        return f"it is not signed with {key.algorithm.name}, which its key is for"
    signature = CompositeSignature(key.algorithm, verify_by_openssl, "openssl")
    try:
        signature.verify(key, signed.signature, to_be_signed)
    except InvalidSignature as error:
        return str(error)
    return None
