"""Why a chain was refused, in words that lead to the fix.

The path verifier says yes or no, and its reasons speak of candidates and OIDs. Nothing here
decides anything: it runs only after a no, looks at the same certificates and finds the most
useful thing to say. The order of `_FINDINGS` is from the most to the least telling.
"""

from collections.abc import Callable, Iterator, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.keys import SMALLEST_RSA, has_long_exponent
from pqproxy.crypto.spki import certificate_key
from pqproxy.identity.errors import (
    BAD_CERTIFICATE,
    CERTIFICATE_EXPIRED,
    UNKNOWN_CA,
    UNSUPPORTED_CERTIFICATE,
    Refused,
)
from pqproxy.identity.names import MALFORMED, issuer_of, printable, subject_of
from pqproxy.identity.path_rules import (
    CRITICAL_EXTENSIONS,
    DEPTH,
    ISSUER,
    KEY_IDENTIFIER,
    LOOP,
    SIGNATURE,
    RuleBroken,
    unknown_critical,
)
from pqproxy.identity.peer import Purpose
from pqproxy.identity.roots import Root
from pqproxy.identity.usage import USAGE_NAMES, permits_usage
from pqproxy.telemetry.reasons import ReasonCode

_Kind = TypeVar("_Kind", bound=x509.ExtensionType)

_USABLE_KEYS = "use an ECDSA P-256 or P-384, RSA 2048-4096, ML-DSA or composite key"
# More names would make a refusal a page.
_LISTED_ROOTS = 4


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the verifier was given."""

    certificates: tuple[x509.Certificate, ...]  # leaf first, then issuers in any order
    roots: tuple[Root, ...]
    trust: str
    purpose: Purpose
    now: datetime

    @property
    def leaf(self) -> x509.Certificate:
        """The peer's own certificate."""
        return self.certificates[0]

    def path(self) -> Iterator[x509.Certificate]:
        """From the leaf up through issuers as they are named, roots included, each once."""
        known = (*self.certificates[1:], *(root.certificate for root in self.roots))
        seen = [self.leaf]
        for certificate in seen:
            yield certificate
            seen += [c for c in known if c.subject == certificate.issuer and c not in seen]


def explain(evidence: Evidence, library_says: str) -> Refused:
    """Return the refusal that says most about a chain which did not verify."""
    try:
        for finding in _FINDINGS:
            if (refused := finding(evidence)) is not None:
                return refused
    except MALFORMED:
        return malformed("an extension in the chain does not parse", "issue the chain again")
    if "max depth" in library_says:
        return malformed(
            "the path to the root is longer than four intermediates", "use fewer intermediates"
        )
    if "unsupported name constraint" in library_says:
        return malformed(
            "an authority in the chain has name constraints on URIs, which are not supported",
            "leave them out; a root declares its trust domain by a URI such as spiffe://corp",
        )
    if "signature does not match" in library_says:
        return _untrusted(
            f"a signature in the chain of {subject_of(evidence.leaf)} does not verify",
            "issue the certificate again",
        )
    return malformed(
        f"the chain of {subject_of(evidence.leaf)} does not verify: {printable(library_says)}",
        "issue the certificate again, for instance with pqproxy certs issue",
    )


def explain_rule(evidence: Evidence, broken: RuleBroken) -> Refused:
    """Return the refusal of a path with a composite key, for the rule that it broke.

    In the words of `explain` wherever that has some: an operator need not know who verified.
    """
    for words in (_finding_of, _words_of):
        with suppress(*MALFORMED):
            if (refused := words(evidence, broken)) is not None:
                return refused
    return malformed("an extension in the chain does not parse", "issue the chain again")


def _finding_of(evidence: Evidence, broken: RuleBroken) -> Refused | None:
    if broken.rule in (ISSUER, LOOP, DEPTH):  # no path at all: look at everything
        findings = [finding for finding in _FINDINGS if finding is not _namesake]
        return next(filter(None, (finding(evidence) for finding in findings)), None)
    at = broken.certificate
    return (
        _authority_as_leaf(evidence)
        or _date_of(at, evidence.now)
        or _usage_of(at, evidence.purpose)
        or _missing_extension(evidence)
    )


def _words_of(evidence: Evidence, broken: RuleBroken) -> Refused | None:
    subject = subject_of(broken.certificate)
    if broken.rule is DEPTH:
        return malformed(
            "the path to the root is longer than three intermediates",
            "use fewer intermediates",
        )
    if broken.rule is KEY_IDENTIFIER:
        return _made_anew(evidence, broken.certificate)
    if broken.rule is SIGNATURE:
        return malformed(f"{subject} {broken}", "issue the certificate again")
    found = ""
    if broken.rule is CRITICAL_EXTENSIONS:
        found = f": {printable(', '.join(unknown_critical(broken.certificate)))}"
    return malformed(
        f"{subject} {broken}{found}",
        "issue the certificate again, for instance with pqproxy certs issue",
    )


def malformed(detail: str, fix: str) -> Refused:
    """A chain that no trust set could accept."""
    return Refused(ReasonCode.UNTRUSTED, BAD_CERTIFICATE, detail, fix)


def unfit_key(certificate: x509.Certificate) -> Refused:
    """A certificate whose key is of a kind or size that is not accepted."""
    try:
        key: object = certificate_key(certificate)
    except MALFORMED:
        key = None
    reason = ReasonCode.UNTRUSTED
    if isinstance(key, rsa.RSAPublicKey):
        detail = f"an RSA key of {key.key_size} bits"
        if has_long_exponent(key):
            detail += " with a long exponent"
        if key.key_size < SMALLEST_RSA:
            reason = ReasonCode.WEAK_AUTHENTICATION
    elif isinstance(key, ec.EllipticCurvePublicKey):
        detail = f"a key of an unsupported kind ({key.curve.name})"
    elif key is not None:
        detail = f"a key of an unsupported kind ({type(key).__name__.removesuffix('PublicKey')})"
    else:
        detail = "a key of an unknown kind"
    detail = f"{subject_of(certificate)} has {detail}"
    return Refused(reason, UNSUPPORTED_CERTIFICATE, detail, _USABLE_KEYS)


def other_key(certificate: x509.Certificate, found: str, wanted: Set[str]) -> Refused:
    """A certificate whose key is sound, and not what this listener demands."""
    accepted = " or ".join(sorted(wanted))
    default = COMPOSITES[0].key_algorithm
    best = default if default in wanted else min(wanted)
    return Refused(
        ReasonCode.WEAK_AUTHENTICATION,
        UNSUPPORTED_CERTIFICATE,
        f"{subject_of(certificate)} has a key of type {found}, and only {accepted} is accepted"
        " here",
        f"give the peer a chain of {best} up to its root: pqproxy certs init --algorithm {best},"
        f" then certs issue --algorithm {best}",
    )


def _untrusted(detail: str, fix: str) -> Refused:
    return Refused(ReasonCode.UNTRUSTED, UNKNOWN_CA, detail, fix)


def _authority_as_leaf(evidence: Evidence) -> Refused | None:
    constraints = _extension(evidence.leaf, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        return None
    return malformed(
        f"{subject_of(evidence.leaf)} is the certificate of an authority,"
        f" not of a {evidence.purpose}",
        "issue a leaf from it (basicConstraints CA:FALSE) and send that one first",
    )


def _out_of_date(evidence: Evidence) -> Refused | None:
    dates = (_date_of(certificate, evidence.now) for certificate in evidence.path())
    return next(filter(None, dates), None)


def _date_of(certificate: x509.Certificate, now: datetime) -> Refused | None:
    ends, begins = certificate.not_valid_after_utc, certificate.not_valid_before_utc
    subject = subject_of(certificate)
    if ends < now:
        detail = f"{subject} expired on {ends:%Y-%m-%d %H:%M} UTC"
        fix = f"renew the certificate of {subject}"
    elif begins > now:
        detail = f"{subject} is not valid before {begins:%Y-%m-%d %H:%M} UTC"
        fix = "check the clocks of both machines, or wait"
    else:
        return None
    return Refused(ReasonCode.EXPIRED, CERTIFICATE_EXPIRED, detail, fix)


def _unknown_issuer(evidence: Evidence) -> Refused | None:
    """No path of names ends at a root."""
    *_, last = evidence.path()
    anchors = {root.certificate for root in evidence.roots}
    if any(certificate in anchors for certificate in evidence.path()):
        return None
    known = ", ".join(root.subject for root in evidence.roots[:_LISTED_ROOTS])
    if len(evidence.roots) > _LISTED_ROOTS:
        known += ", …"
    fix = f"use a certificate from one of its roots ({known})"
    if evidence.leaf.subject == evidence.leaf.issuer:
        detail = f"{subject_of(evidence.leaf)} signed itself; no root of trust {evidence.trust} did"
    else:
        detail = (
            f"{issuer_of(last)}, which signed {subject_of(last)}, is not in trust {evidence.trust}"
        )
        fix += f", or add {issuer_of(last)} to it, or send the missing intermediate"
    return _untrusted(detail, fix)


def _namesake(evidence: Evidence) -> Refused | None:
    """The issuer has the name of a root but another key: the authority was made anew."""
    namesakes = [r for r in evidence.roots if r.certificate.subject == evidence.leaf.issuer]
    if not namesakes or any(_signed(evidence.leaf, root.certificate) for root in namesakes):
        return None
    if any(_signed(evidence.leaf, certificate) for certificate in evidence.certificates[1:]):
        return None
    return _made_anew(evidence, evidence.leaf)


def _made_anew(evidence: Evidence, certificate: x509.Certificate) -> Refused:
    known = any(root.certificate.subject == certificate.issuer for root in evidence.roots)
    where = f"in trust {evidence.trust}" if known else "in the chain"
    return _untrusted(
        f"{subject_of(certificate)} is signed by another key than the {issuer_of(certificate)}"
        f" {where}, though it has the same name",
        "the authority was made anew: take certificate and root from the same one",
    )


def _wrong_usage(evidence: Evidence) -> Refused | None:
    usages = (_usage_of(certificate, evidence.purpose) for certificate in evidence.path())
    return next(filter(None, usages), None)


def _usage_of(certificate: x509.Certificate, purpose: Purpose) -> Refused | None:
    if permits_usage(_extension(certificate, x509.ExtendedKeyUsage), purpose):
        return None
    usage = USAGE_NAMES[purpose]
    role = f"TLS {purpose}" if purpose is not Purpose.SIGNER else f"{purpose} of content"
    return Refused(
        ReasonCode.UNTRUSTED,
        UNSUPPORTED_CERTIFICATE,
        f"{subject_of(certificate)} may not be used by a {role}:"
        f" its extendedKeyUsage lacks {usage}",
        f"issue it with extendedKeyUsage={usage} (pqproxy certs issue gives both usages)",
    )


def _missing_extension(evidence: Evidence) -> Refused | None:
    subject = subject_of(evidence.leaf)
    if _extension(evidence.leaf, x509.SubjectAlternativeName) is None:
        return malformed(
            f"{subject} has no subjectAltName, and names elsewhere do not count",
            "issue it with a SPIFFE URI, a DNS name or an address",
        )
    if _extension(evidence.leaf, x509.AuthorityKeyIdentifier) is None:
        return malformed(
            f"{subject} has no authorityKeyIdentifier",
            "issue it with one (openssl: authorityKeyIdentifier=keyid; pqproxy certs issue does)",
        )
    return None


_FINDINGS: tuple[Callable[[Evidence], Refused | None], ...] = (
    _authority_as_leaf,
    _out_of_date,
    _unknown_issuer,
    _namesake,
    _wrong_usage,
    _missing_extension,
)


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _signed(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, TypeError, *MALFORMED):
        return False
    return True
