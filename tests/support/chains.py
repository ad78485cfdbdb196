"""Chains that break one rule each, and those that nearly do.

They are recipes: what `pki.Request` is asked for at each of leaf, lower, upper and root. The kind
of all keys is the caller's choice.
"""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.x509.oid import ExtensionOID, NameOID

from tests.support import pki

ID = "spiffe://corp/ns/apps/sa/llm"
COMPOSITE = "mldsa65-ecdsa-p256"
NO_NAME = x509.Name([])


def chain(**recipes):
    """Leaf, lower, upper and the root: a good chain, but for what `recipes` ask of each."""
    root = pki.root(recipes.pop("kind", COMPOSITE), **recipes.pop("root", {}))
    upper = root.intermediate(name="upper", **recipes.pop("upper", {}))
    lower = upper.intermediate(name="lower", **recipes.pop("lower", {}))
    leaf = lower.issue(**{"uris": (ID,), **recipes.pop("leaf", {})})
    assert not recipes
    return (*leaf.certificates, root.certificate)


def usage(**bits):
    return {"extra": ((pki._key_usage(**bits), True),)}


def constraints(ca, path_length=None, *, critical=True):
    return {"extra": ((x509.BasicConstraints(ca, path_length), critical),)}


def unknown(critical):
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\5\0")
    return {"extra": ((extension, critical),)}


def serial(number):
    def edit(tbs):
        tbs.serial_number = number

    return {"edit": edit}


@pki.asn1.sequence
class Validity:
    not_before: pki.asn1.UTCTime | pki.asn1.GeneralizedTime
    not_after: pki.asn1.UTCTime | pki.asn1.GeneralizedTime


def generalized(tbs):
    """Both dates with four digits for the year, also before 2050."""
    begins, ends = map(pki.asn1.GeneralizedTime, (pki.NOT_BEFORE, pki.NOT_AFTER))
    der = pki.asn1.encode_der(Validity(not_before=begins, not_after=ends))
    tbs.validity = pki.asn1.decode_der(pki.asn1.TLV, der)


def retyped(field, tag):
    """The same common name as a string of another type: 0x13 printable, 0x03 bits."""

    def edit(tbs):
        name = pki.asn1.encode_der(getattr(tbs, field))
        changed = name.replace(
            bytes.fromhex("06035504030c"), bytes.fromhex("0603550403") + bytes([tag])
        )
        setattr(tbs, field, pki.asn1.decode_der(pki.asn1.TLV, changed))

    return edit


def version_1(tbs):
    tbs.version = None


def twice(tbs):
    tbs.extensions = [*tbs.extensions, tbs.extensions[-1]]


def raw(oid, content, *, critical=False):
    """An extension with this content, whatever it ought to hold."""
    return {"extra": ((x509.UnrecognizedExtension(oid, content), critical),)}


def critical(extension):
    return {"extra": ((extension, True),)}


def drop(*kinds):
    return {"without": kinds}


def nameless(tbs):
    tbs.subject = pki.asn1.decode_der(pki.asn1.TLV, NO_NAME.public_bytes())


SAN = x509.SubjectAlternativeName([x509.DNSName("a.test")])
CONSTRAINED = {"extra": ((x509.NameConstraints([x509.DNSName("a.test")], None), True),)}
OTHER_USE = {"eku": (pki.SERVER_AUTH,)}
OLD, EARLY = {"not_after": pki.PAST}, {"not_before": pki.FUTURE}
OTHER_KEY = x509.AuthorityKeyIdentifier(bytes(20), None, None)
BY_SERIAL = x509.AuthorityKeyIdentifier(
    None, [x509.DirectoryName(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lower")]))], 1
)
WITH_SERIAL = x509.AuthorityKeyIdentifier(
    bytes(20), BY_SERIAL.authority_cert_issuer, BY_SERIAL.authority_cert_serial_number
)
POLICIES = x509.CertificatePolicies(
    [x509.PolicyInformation(x509.ObjectIdentifier("2.5.29.32.0"), None)]
)
NO_PATH_LENGTH_FOR_LEAVES = bytes.fromhex("3003020100")
NO_NAMES = bytes.fromhex("3000")

# What is wrong, where, and the rule that says so.
MALFORMED_CHAINS = [
    ("leaf", {"edit": retyped("issuer", 0x13)}, "issuer"),
    ("upper", {"edit": retyped("issuer", 0x13)}, "issuer"),
    ("leaf", {"edit": retyped("subject", 0x03)}, "parses"),
    ("leaf", {"edit": retyped("issuer", 0x03)}, "parses"),
    ("upper", {"edit": retyped("issuer", 0x03)}, "parses"),
    ("leaf", {"edit": version_1}, "version"),
    ("upper", {"edit": version_1}, "version"),
    *((place, {"edit": generalized}, "dates") for place in ("leaf", "lower", "root")),
    ("leaf", {"edit": twice}, "parses"),
    ("lower", {"edit": twice}, "parses"),
    *(
        (place, raw(oid, b"\xff"), "parses")
        for place in ("leaf", "lower", "root")
        for oid in (
            ExtensionOID.BASIC_CONSTRAINTS,
            ExtensionOID.KEY_USAGE,
            ExtensionOID.EXTENDED_KEY_USAGE,
            ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
            ExtensionOID.SUBJECT_KEY_IDENTIFIER,
            ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
            ExtensionOID.NAME_CONSTRAINTS,
        )
    ),
    ("leaf", raw(ExtensionOID.BASIC_CONSTRAINTS, NO_PATH_LENGTH_FOR_LEAVES), "parses"),
    ("leaf", serial(0), "serial-number"),
    ("lower", serial(-5), "serial-number"),
    ("root", serial(2**159), "serial-number"),
    ("lower", {"edit": nameless}, "distinguished-names"),
    ("leaf", constraints(True), "basic-constraints"),
    ("lower", constraints(False), "basic-constraints"),
    ("upper", constraints(True, critical=False), "basic-constraints"),
    ("lower", drop(x509.BasicConstraints), "basic-constraints"),
    ("root", drop(x509.BasicConstraints), "basic-constraints"),
    ("upper", constraints(True, 0), "path-length"),
    ("root", constraints(True, 1), "path-length"),
    *((place, OLD, "not-after") for place in ("leaf", "lower", "upper", "root")),
    *((place, EARLY, "not-before") for place in ("leaf", "lower", "upper", "root")),
    ("leaf", usage(crl_sign=True), "key-usage"),
    ("leaf", usage(digital_signature=True, key_cert_sign=True), "key-usage"),
    ("lower", usage(digital_signature=True), "key-usage"),
    ("root", usage(crl_sign=True), "key-usage"),
    ("leaf", usage(digital_signature=True, key_encipherment=True), "signing-only"),
    ("leaf", usage(digital_signature=True, data_encipherment=True), "signing-only"),
    ("upper", usage(key_cert_sign=True, key_agreement=True), "signing-only"),
    ("leaf", OTHER_USE, "extended-key-usage"),
    ("lower", OTHER_USE, "extended-key-usage"),
    ("root", OTHER_USE, "extended-key-usage"),
    ("leaf", {"uris": ()}, "subject-alternative-name"),
    ("leaf", {"extra": ((SAN, True),)}, "subject-alternative-name"),
    ("leaf", {"edit": nameless}, "subject-alternative-name"),
    ("leaf", raw(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, NO_NAMES), "subject-alternative-name"),
    *((place, CONSTRAINED, "name-constraints") for place in ("leaf", "lower", "root")),
    *((place, unknown(True), "critical-extensions") for place in ("leaf", "upper", "root")),
    *((place, critical(POLICIES), "critical-extensions") for place in ("leaf", "upper")),
    ("upper", critical(x509.InhibitAnyPolicy(0)), "critical-extensions"),
    ("lower", critical(x509.PolicyConstraints(0, None)), "critical-extensions"),
    ("lower", critical(x509.SubjectKeyIdentifier(bytes(20))), "critical-extensions"),
    ("lower", critical(OTHER_KEY), "critical-extensions"),
    ("leaf", {"extra": ((WITH_SERIAL, False),)}, "authority-key-identifier"),
    ("leaf", {"aki": False}, "authority-key-identifier"),
    ("upper", {"aki": False}, "authority-key-identifier"),
    ("leaf", {"extra": ((BY_SERIAL, False),)}, "authority-key-identifier"),
    ("leaf", {"extra": ((OTHER_KEY, False),)}, "key-identifier"),
    ("upper", {"extra": ((OTHER_KEY, False),)}, "key-identifier"),
    ("lower", drop(x509.SubjectKeyIdentifier), "subject-key-identifier"),
    ("root", drop(x509.SubjectKeyIdentifier), "subject-key-identifier"),
]

# The other side of each edge.
GOOD_CHAINS = [
    {"root": constraints(True, 2)},
    {"lower": constraints(True, 0)},
    {"leaf": unknown(False)},
    {"leaf": {"not_after": datetime(2050, 1, 1, tzinfo=UTC)}},
    {"root": {"not_after": datetime(2060, 1, 1, tzinfo=UTC)}},
    {"leaf": drop(x509.BasicConstraints)},
    {"leaf": {"key_usage": False}, "lower": {"key_usage": False}},
    {"leaf": {"eku": ()}},
    {"leaf": serial(2**159 - 1)},
    {"leaf": drop(x509.SubjectKeyIdentifier), "root": {"aki": False}},
]
