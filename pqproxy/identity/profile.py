"""What a listener demands of certificates: our own, and a peer's up to its root.

`groups: cnsa2` takes ML-DSA-87 alone, in every key and signature of a chain, ours too. Nothing here
claims that whoever computes them is validated or certified. `authentication` speaks of the peer:
`hybrid` takes composite keys, `post-quantum` those and ML-DSA.
"""

from cryptography import x509
from cryptography.x509.oid import ObjectIdentifier, SignatureAlgorithmOID

from pqproxy.config.values import PeerAuthentication, Profile
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.keys import key_algorithm
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.names import MALFORMED, subject_of
from pqproxy.identity.own import Identity
from pqproxy.identity.trust import Trust

COMPOSITE_KEYS = frozenset(each.key_algorithm for each in COMPOSITES)
ML_DSA_KEYS = frozenset({"mldsa44", "mldsa65", "mldsa87"})
_ACCEPTED = {
    PeerAuthentication.HYBRID: COMPOSITE_KEYS,
    PeerAuthentication.POST_QUANTUM: COMPOSITE_KEYS | ML_DSA_KEYS,
    PeerAuthentication.ANY: None,
}
# Profile -> what its keys are called, and the one signature algorithm of its certificates.
_DEMANDED: dict[Profile, tuple[str, ObjectIdentifier]] = {
    Profile.CNSA2: ("mldsa87", SignatureAlgorithmOID.ML_DSA_87),
}
# Signature algorithm of a certificate -> the kind of key that made it, of those demanded by name.
_SIGNED_BY = {
    SignatureAlgorithmOID.ML_DSA_44: "mldsa44",
    SignatureAlgorithmOID.ML_DSA_65: "mldsa65",
    SignatureAlgorithmOID.ML_DSA_87: "mldsa87",
    **{each.oid: each.key_algorithm for each in COMPOSITES},
}
# What to make for peers that demand it.
PEER_ALGORITHMS = {
    PeerAuthentication.HYBRID: "mldsa65-ecdsa-p256",
    PeerAuthentication.POST_QUANTUM: "mldsa65",
}
_FIX = (
    "pqproxy certs init --algorithm mldsa87 makes the authority, certs issue --algorithm mldsa87"
    " the certificate"
)
_PEER_FIXES = {
    PeerAuthentication.HYBRID: "add the root that signs the peers' composite certificates (pqproxy"
    " certs init makes one), or use authentication: any",
    PeerAuthentication.POST_QUANTUM: "add the root that signs the peers' ML-DSA or composite"
    " certificates (pqproxy certs init --algorithm mldsa65 makes one), or use authentication: any",
}


def accepted_keys(profile: Profile, authentication: PeerAuthentication) -> frozenset[str] | None:
    """The kinds of key that a peer may hold, and all above it; None: whatever is fit."""
    demanded, accepted = _DEMANDED.get(profile), _ACCEPTED[authentication]
    if demanded is None:
        return accepted
    return frozenset({demanded[0]}) if accepted is None else accepted & {demanded[0]}


def satisfies(identity: Identity, demand: PeerAuthentication) -> bool:
    """Whether a peer with this demand takes what an identity shows.

    Every key of it must be of an accepted kind, and what signed its last certificate: the root.
    """
    accepted = _ACCEPTED[demand]
    if accepted is None:
        return True
    certificates = [x509.load_der_x509_certificate(der) for der in identity.chain]
    kinds = {_key(certificate) for certificate in certificates}
    kinds |= {_SIGNED_BY.get(one.signature_algorithm_oid, "other") for one in certificates}
    return kinds <= accepted


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


def narrowed(
    trust: Trust, profile: Profile, authentication: PeerAuthentication = PeerAuthentication.ANY
) -> Trust:
    """The part of a trust set that a listener's demands leave.

    Raises IdentityError if that is nothing.
    """
    accepted = accepted_keys(profile, authentication)
    if accepted is None:
        return trust
    try:
        return trust.only(accepted)
    except IdentityError as error:
        if profile in _DEMANDED:
            raise IdentityError(f"{error}, and {profile} takes no other", _FIX) from None
        what = f"{error}, and authentication: {authentication} takes no other"
        raise IdentityError(what, _PEER_FIXES[authentication]) from None


def _key(certificate: x509.Certificate) -> str:
    try:
        return key_algorithm(certificate_key(certificate))
    except MALFORMED:
        return "unsupported"
