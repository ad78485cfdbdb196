"""The roots of a trust set, read with care: a bad root is the operator's mistake, found at start.

A root is an authority's certificate. What the path verifier would hold against it on every
connection (basicConstraints not critical, Ed25519, …) is said once, here.

Its own signature is deliberately not checked: it would prove that the root agrees with itself. We
believe a root because its owner named it, and an authority below another one may be named as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from cryptography import x509

from pqproxy.config.values import TrustFiles
from pqproxy.crypto.keys import key_algorithm
from pqproxy.crypto.spki import certificate_key
from pqproxy.crypto.x509_verification import involves_composite
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.names import MALFORMED, SpiffeId, is_spiffe, read_names, subject_of
from pqproxy.identity.path_rules import RULES, Place
from pqproxy.identity.peer import Purpose
from pqproxy.identity.pem import (
    holds_certificate,
    holds_private_key,
    is_self_issued,
    read_certificates,
)


@dataclass(frozen=True, slots=True)
class Root:
    """A trusted authority, and the trust domain that it declares by a URI SAN, if any."""

    certificate: x509.Certificate
    trust_domain: str | None

    @property
    def subject(self) -> str:
        """Its name, printable."""
        return subject_of(self.certificate)


def read_roots(files: TrustFiles) -> tuple[Root, ...]:
    """Read every root of a set. Raises IdentityError naming the block that is none."""
    roots: dict[x509.Certificate, Root] = {}
    for pem, source in _sources(files):
        believed = (
            _bundled(pem, source) if holds_private_key(pem) else read_certificates(pem, source)
        )
        for number, certificate in enumerate(believed, 1):
            roots[certificate] = _root(certificate, f"{source}: certificate {number}")
    if not roots:
        raise IdentityError(f"trust {files.name}: holds no roots", "list at least one root")
    return tuple(roots.values())


def _bundled(pem: bytes, source: str) -> tuple[x509.Certificate, ...]:
    """Return the roots of a file like those of `certs export`, which hold somebody's key too."""
    certificates = read_certificates(pem, source) if holds_certificate(pem) else ()
    found = tuple(certificate for certificate in certificates if is_self_issued(certificate))
    if not found or len(found) == len(certificates):
        raise IdentityError(
            f"{source}: holds a private key, which has no place among roots",
            "give the certificate of the authority only (ca.crt, not ca.key)",
        )
    return found


def _sources(files: TrustFiles) -> Iterator[tuple[bytes, str]]:
    for number, pem in enumerate(files.roots, 1):
        which = f" (part {number})" if len(files.roots) > 1 else ""
        yield pem, f"trust {files.name}: {files.source}{which}"


def _root(certificate: x509.Certificate, where: str) -> Root:
    try:
        where = f"{where}, {subject_of(certificate)},"
        _check_authority(certificate, where)
        return Root(certificate, declared_domain(certificate, where))
    except MALFORMED as error:
        raise IdentityError(f"{where} does not parse: {error}", "make the root again") from None


def _check_authority(certificate: x509.Certificate, where: str) -> None:
    extensions = certificate.extensions
    try:
        constraints = extensions.get_extension_for_class(x509.BasicConstraints)
    except x509.ExtensionNotFound:
        constraints = None
    if constraints is None or not constraints.value.ca:
        raise IdentityError(
            f"{where} is not the certificate of an authority",
            "list the root that signed it instead (basicConstraints CA:TRUE)",
        )
    if not constraints.critical:
        raise IdentityError(
            f"{where} has basicConstraints that are not critical",
            "make the root with basicConstraints=critical,CA:TRUE",
        )
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        usage = None
    if usage is not None and not usage.key_cert_sign:
        raise IdentityError(
            f"{where} lacks the key usage keyCertSign",
            "make the root with keyUsage=critical,keyCertSign,cRLSign",
        )
    if key_algorithm(certificate_key(certificate)) == "unsupported":
        raise IdentityError(
            f"{where} has a key that chains cannot be verified with",
            "use a root with an ECDSA P-256 or P-384, RSA 2048-4096, ML-DSA or composite key"
            " (not Ed25519)",
        )
    if involves_composite(certificate):
        _check_rules(certificate, where)


def _check_rules(certificate: x509.Certificate, where: str) -> None:
    """What no path can end at, whenever and for whatever it is wanted."""
    begins = certificate.not_valid_before_utc
    places = [Place(certificate, None, 1, purpose, begins) for purpose in Purpose]
    for rule in RULES:
        if not any(rule.kept(place) for place in places):
            raise IdentityError(
                f"{where} {rule}", "make the root again, for instance with pqproxy certs init"
            )


def declared_domain(certificate: x509.Certificate, where: str) -> str | None:
    """Return the trust domain a root declares. Raises IdentityError, beginning with `where`."""
    uris = [uri for uri in read_names(certificate).uris if is_spiffe(uri)]
    if not uris:
        return None
    fix = "a root declares its one trust domain by one URI without a path, such as spiffe://corp"
    if len(uris) > 1:
        raise IdentityError(f"{where} declares {len(uris)} trust domains", fix)
    try:
        declared = SpiffeId.parse(uris[0])
    except ValueError as error:
        raise IdentityError(f"{where} declares no trust domain: {error}", fix) from None
    if declared.segments:
        raise IdentityError(f"{where} has the URI {declared}, which names a peer", fix)
    return declared.trust_domain
