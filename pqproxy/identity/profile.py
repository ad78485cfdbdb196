"""What a profile of algorithms demands of certificates: our own, and a peer's up to its root.

`groups: cnsa2` takes ML-DSA-87 alone, in every key and signature of a chain. Nothing here claims
that whoever computes them is validated or certified.
"""

from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier, SignatureAlgorithmOID

from pqproxy.config.values import Profile
from pqproxy.crypto.keys import key_algorithm
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.names import MALFORMED, subject_of
from pqproxy.identity.own import Identity
from pqproxy.identity.trust import Trust

# Profile -> what its keys are called, and the one signature algorithm of its certificates.
_DEMANDED: dict[Profile, tuple[str, ObjectIdentifier]] = {
    Profile.CNSA2: ("mldsa87", SignatureAlgorithmOID.ML_DSA_87),
}
_FIX = (
    "pqproxy certs init --algorithm mldsa87 makes the authority, certs issue --algorithm mldsa87"
    " the certificate"
)


def check_own(identity: Identity, profile: Profile) -> None:
    """Raise IdentityError unless every certificate of ours is what the profile demands."""
    if profile not in _DEMANDED:
        return
    key, signature = _DEMANDED[profile]
    for der in identity.chain:
        certificate = x509.load_der_x509_certificate(der)
        found = _key(certificate)
        if found != key:
            what = f"{subject_of(certificate)} has a key of type {found}"
        elif certificate.signature_algorithm_oid != signature:
            what = f"{subject_of(certificate)} is not signed with {key}"
        else:
            continue
        raise IdentityError(f"identity {identity.name}: {what}, and {profile} demands {key}", _FIX)


def narrowed(trust: Trust, profile: Profile) -> Trust:
    """The part of a trust set that the profile allows. Raises IdentityError if that is nothing."""
    if profile not in _DEMANDED:
        return trust
    try:
        return trust.only(frozenset({_DEMANDED[profile][0]}))
    except IdentityError as error:
        raise IdentityError(f"{error}, and {profile} takes no other", _FIX) from None


def _key(certificate: x509.Certificate) -> str:
    try:
        return key_algorithm(certificate_key(certificate))
    except MALFORMED:
        return "unsupported"
