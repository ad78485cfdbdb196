"""What a certificate must be in a path with a composite key: one table, RFC 5280 §4 and §6.1.

Whatever is demanded stands in `RULES`. What RFC 5280 has beyond it (policies, name constraints) is
refused there, never skipped. Pure: a certificate, where it stands, a purpose and a time go in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TypeVar

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.x509.oid import ExtensionOID

from pqproxy.crypto.algorithms import PublicKey
from pqproxy.crypto.composite_keys import CompositePublicKey
from pqproxy.crypto.errors import InvalidSignature
from pqproxy.crypto.keys import UNSUPPORTED, key_algorithm
from pqproxy.crypto.spki import TbsCertificate, certificate_key
from pqproxy.crypto.x509_verification import CertificateSignature, certificate_signature
from pqproxy.identity.names import MALFORMED
from pqproxy.identity.peer import Purpose
from pqproxy.identity.usage import permits_usage

MAX_INTERMEDIATES = 3  # between leaf and root
_MAX_SERIAL_BITS = 159  # 20 octets, the first bit being the sign
_GENERALIZED_FROM = 2050  # the first year that UTCTime cannot tell
# Those that RULES looks into. The key identifiers are absent: both MUST NOT be critical.
_PROCESSED = {
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
}
_Kind = TypeVar("_Kind", bound=x509.ExtensionType)


@dataclass(frozen=True)
class Place:
    """One certificate of a path, and where it stands there. Raises what MALFORMED lists."""

    certificate: x509.Certificate
    issuer: Place | None  # None: it is the root
    height: int  # 0: the leaf
    purpose: Purpose
    now: datetime

    @cached_property
    def key(self) -> PublicKey:
        """What it certifies. Kept: to read one costs as much as half a signature check."""
        return certificate_key(self.certificate)

    @cached_property
    def signature(self) -> CertificateSignature:
        """Its signature, not yet checked. Raises InvalidSignature, too."""
        return certificate_signature(self.certificate)

    def extension(self, kind: type[_Kind]) -> _Kind | None:
        """The value of an extension, if it is there."""
        return _extension(self.certificate, kind)


@dataclass(frozen=True, slots=True)
class Rule:
    """What a certificate must be, each in its place; `broken` says in words what it is not."""

    name: str
    section: str
    broken: str
    kept: Callable[[Place], bool] = lambda place: True  # or it is checked where paths are built
    document: str = "RFC 5280"

    def __str__(self) -> str:
        """What is wrong with a certificate that broke it, and where that is written."""
        return f"{self.broken} ({self.document} section {self.section})"


class RuleBroken(Exception):
    """No path: the rule, the certificate that broke it, and why where there is more to say."""

    def __init__(self, rule: Rule, certificate: x509.Certificate, why: str = "") -> None:
        super().__init__(f"{rule}: {why}" if why else str(rule))
        self.rule = rule
        self.certificate = certificate


@asn1.sequence
class _Validity:
    not_before: asn1.UTCTime | asn1.GeneralizedTime
    not_after: asn1.UTCTime | asn1.GeneralizedTime


def _dates(place: Place) -> bool:
    tbs = asn1.decode_der(TbsCertificate, place.certificate.tbs_certificate_bytes)
    validity = tbs.validity.parse(_Validity)
    return all(
        isinstance(date, asn1.GeneralizedTime) == (date.as_datetime().year >= _GENERALIZED_FROM)
        for date in (validity.not_before, validity.not_after)
    )


def _basic_constraints(place: Place) -> bool:
    constraints = place.extension(x509.BasicConstraints)
    if place.height == 0:
        return constraints is None or not constraints.ca
    return constraints is not None and constraints.ca and _is_critical(place, constraints.oid)


def _path_length(place: Place) -> bool:
    constraints = place.extension(x509.BasicConstraints)
    limit = constraints.path_length if constraints else None
    return limit is None or place.height - 1 <= limit


def _key_usage(place: Place) -> bool:
    usage = place.extension(x509.KeyUsage)
    if usage is None:
        return True
    if place.height == 0:
        return usage.digital_signature and not usage.key_cert_sign
    return usage.key_cert_sign


def _signing_only(place: Place) -> bool:
    usage = place.extension(x509.KeyUsage)
    if usage is None or not isinstance(place.key, CompositePublicKey):
        return True
    # What depends on keyAgreement cannot be asked for without it.
    return not (usage.key_encipherment or usage.data_encipherment or usage.key_agreement)


def _names(place: Place) -> bool:
    names = place.extension(x509.SubjectAlternativeName)
    if place.height > 0:
        return True
    if names is None or not list(names):
        return False
    # Where there is no subject, who ignored the extension would see nobody at all.
    return _is_critical(place, names.oid) == (not list(place.certificate.subject))


def _authority_key(place: Place) -> bool:
    if place.issuer is None:
        return True
    named = place.extension(x509.AuthorityKeyIdentifier)
    return (
        named is not None
        and named.key_identifier is not None
        and named.authority_cert_issuer is None
        and named.authority_cert_serial_number is None
    )


def _same_key(place: Place) -> bool:
    return place.issuer is None or names_key_of(place.certificate, place.issuer.certificate)


def _signature_algorithm(place: Place) -> bool:
    """The algorithm is that of the issuer's key. A root's own signature proves nothing."""
    if place.issuer is None:
        return True
    try:
        algorithm = place.signature.algorithm
    except InvalidSignature:
        return False
    return algorithm.key_algorithm == key_algorithm(place.issuer.key)


PARSES = Rule("parses", "4.1", "does not parse")
CRITICAL_EXTENSIONS = Rule(
    "critical-extensions",
    "4.2",
    "has a critical extension that is not understood or may not be critical",
    lambda place: not unknown_critical(place.certificate),
)
ISSUER = Rule("issuer", "6.1.3 (a)(4)", "has an issuer that is neither a root nor in the chain")
LOOP = Rule("loop", "6.1", "is, indirectly, its own issuer")
DEPTH = Rule("depth", "6.1", f"is more than {MAX_INTERMEDIATES} intermediates below its root")
KEY_IDENTIFIER = Rule(
    "key-identifier", "4.2.1.1", "names another key than that of its issuer", _same_key
)
LEADS_NOWHERE = (ISSUER, LOOP, DEPTH, KEY_IDENTIFIER)  # there is no path, whatever it be like
EFFORT = Rule("effort", "6.1", "takes too many signatures to verify")
SIGNATURE = Rule("signature", "6.1.3 (a)(1)", "has a signature that does not verify")

# In the order in which they are checked, each at every certificate from the leaf to the root.
RULES = (
    ISSUER,
    LOOP,
    DEPTH,
    PARSES,
    Rule(
        "version",
        "4.1.2.1",
        "is not of version 3",
        lambda place: place.certificate.version is x509.Version.v3,
    ),
    Rule(
        "serial-number",
        "4.1.2.2",
        "has a serial number that is not positive or longer than 20 octets",
        lambda place: (
            place.certificate.serial_number > 0
            and place.certificate.serial_number.bit_length() <= _MAX_SERIAL_BITS
        ),
    ),
    Rule("dates", "4.1.2.5", "has a date that is not written as its year demands", _dates),
    Rule(
        "public-key",
        "4.1.2.7",
        "has a key of a kind that is not accepted",
        lambda place: key_algorithm(place.key) != UNSUPPORTED,
    ),
    Rule(
        "distinguished-names",
        "4.1.2.4",
        "names no issuer or, as an authority, no subject",
        lambda place: (
            bool(list(place.certificate.issuer))
            and (place.height == 0 or bool(list(place.certificate.subject)))
        ),
    ),
    Rule(
        "basic-constraints",
        "4.2.1.9",
        "has wrong basicConstraints: an authority needs critical CA:TRUE, a leaf CA:FALSE or none",
        _basic_constraints,
    ),
    Rule("path-length", "4.2.1.9", "stands above more intermediates than it allows", _path_length),
    Rule(
        "not-before",
        "6.1.3 (a)(2)",
        "is not valid yet",
        lambda place: place.certificate.not_valid_before_utc <= place.now,
    ),
    Rule(
        "not-after",
        "6.1.3 (a)(2)",
        "has expired",
        lambda place: place.now <= place.certificate.not_valid_after_utc,
    ),
    Rule(
        "key-usage",
        "4.2.1.3",
        "has a wrong keyUsage: a leaf needs digitalSignature, an authority keyCertSign, which is"
        " not for leaves",
        _key_usage,
    ),
    Rule(
        "signing-only",
        "5",
        "has a keyUsage for encipherment or key agreement, and a composite key only signs",
        _signing_only,
        document="RFC 9881",
    ),
    Rule(
        "extended-key-usage",
        "4.2.1.12",
        "has an extendedKeyUsage for something else",
        lambda place: permits_usage(place.extension(x509.ExtendedKeyUsage), place.purpose),
    ),
    Rule(
        "subject-alternative-name",
        "4.2.1.6",
        "has a wrong subjectAltName: a leaf needs one, which is critical where its subject is"
        " empty, and only there",
        _names,
    ),
    Rule(
        "name-constraints",
        "4.2.1.10",
        "has name constraints, which are not supported in paths with composite keys",
        lambda place: place.extension(x509.NameConstraints) is None,
    ),
    CRITICAL_EXTENSIONS,
    Rule(
        "authority-key-identifier",
        "4.2.1.1",
        "has no authorityKeyIdentifier, or one that holds more than a key identifier",
        _authority_key,
    ),
    Rule(
        "subject-key-identifier",
        "4.2.1.2",
        "is an authority without a subjectKeyIdentifier",
        lambda place: place.height == 0 or place.extension(x509.SubjectKeyIdentifier) is not None,
    ),
    KEY_IDENTIFIER,
    Rule(
        "signature-algorithm",
        "4.1.1.2",
        "is signed, as it says, with an algorithm that is not that of its issuer's key",
        _signature_algorithm,
    ),
    EFFORT,
    SIGNATURE,
)


def names_key_of(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether a certificate was, as it says, signed with the key of this issuer (§4.2.1.1)."""
    try:
        named = _extension(certificate, x509.AuthorityKeyIdentifier)
        held = _extension(issuer, x509.SubjectKeyIdentifier)
    except MALFORMED:
        return False  # the rules will say so
    return named is not None and held is not None and named.key_identifier == held.digest


def unknown_critical(certificate: x509.Certificate) -> list[str]:
    """The OIDs of critical extensions that nobody looks into."""
    extensions = certificate.extensions
    return [e.oid.dotted_string for e in extensions if e.critical and e.oid not in _PROCESSED]


def _is_critical(place: Place, oid: x509.ObjectIdentifier) -> bool:
    return place.certificate.extensions.get_extension_for_oid(oid).critical


def _extension(certificate: x509.Certificate, kind: type[_Kind]) -> _Kind | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
