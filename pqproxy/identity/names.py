"""Names in certificates: SPIFFE IDs, DNS names, IP addresses, and how they are printed.

Whoever makes a certificate chooses its names, so nothing here goes into a message before
`printable` has seen it.
"""

import ipaddress
import re
from dataclasses import dataclass
from functools import lru_cache

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm

from pqproxy.crypto.peer_certificates import KEPT

_SCHEME = "spiffe://"
_SPIFFE_LIMIT = 2048  # bytes, the SPIFFE ID standard §2.3
_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DNS = re.compile(rf"(?=.{{1,253}}\Z)(\*\.)?({_LABEL}\.)*{_LABEL}")
_SHOWN = 256

# What the library raises for certificates and extensions that do not parse; the x509 ones are not
# ValueErrors. The warning is for what it still parses (a negative serial number, a country of three
# letters), and is an exception wherever warnings are made errors. The TypeError is for a name whose
# value is a bit string.
MALFORMED = (
    UserWarning,
    TypeError,
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)


@dataclass(frozen=True, slots=True)
class SpiffeId:
    """`spiffe://trust-domain/segment/…`; without segments it names the trust domain itself."""

    trust_domain: str
    segments: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "SpiffeId":
        """Read a SPIFFE ID. Raises ValueError saying what is wrong with it.

        Strict on purpose: an ID that two programs could read differently is no identity.
        """
        if not text.startswith(_SCHEME):
            raise ValueError(f"{printable(text)} does not start with {_SCHEME}")
        if len(text) > _SPIFFE_LIMIT:
            raise ValueError(f"{printable(text)} is longer than {_SPIFFE_LIMIT} bytes")
        trust_domain, *segments = text.removeprefix(_SCHEME).split("/")
        if not _TRUST_DOMAIN.fullmatch(trust_domain):
            raise ValueError(f"{printable(text)} has no valid trust domain (a-z, 0-9, . _ -)")
        for segment in segments:
            if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
                raise ValueError(f"{printable(text)} has an invalid path segment")
        return cls(trust_domain, tuple(segments))

    def __str__(self) -> str:
        return _SCHEME + "/".join((self.trust_domain, *self.segments))


def is_spiffe(uri: str) -> bool:
    """Whether a URI claims to be a SPIFFE ID, well-formed or not."""
    return uri[:7].lower() == "spiffe:"


def dns_name(text: str) -> str:
    """Normalise a DNS name, a leading `*.` allowed. Raises ValueError when it is none."""
    name = text.removesuffix(".").lower()
    if not _DNS.fullmatch(name):
        raise ValueError(f"{printable(text)} is not a DNS name")
    # A last label of digits is a mistyped IPv4 address, never a name (RFC 1123 §2.1).
    if name.rpartition(".")[2].isdecimal():
        raise ValueError(f"{printable(text)} is neither a DNS name nor an IP address")
    return name


@dataclass(frozen=True, slots=True)
class CertificateNames:
    """The names of one certificate. DNS names are lower case, addresses in their usual form."""

    uris: tuple[str, ...]
    dns_names: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    subject: str

    @property
    def name(self) -> str:
        """The name a log shows: the first URI, else DNS name, else address, else the subject."""
        return printable((*self.uris, *self.dns_names, *self.ip_addresses, self.subject)[0])


@lru_cache(maxsize=KEPT)
def read_names(certificate: x509.Certificate) -> CertificateNames:
    """Read the names of a certificate. Raises one of MALFORMED when they do not parse."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return CertificateNames((), (), (), subject_of(certificate))
    names = extension.value
    addresses = names.get_values_for_type(x509.IPAddress)
    return CertificateNames(
        uris=tuple(names.get_values_for_type(x509.UniformResourceIdentifier)),
        dns_names=tuple(name.lower() for name in names.get_values_for_type(x509.DNSName)),
        ip_addresses=tuple(
            str(address)
            for address in addresses
            if isinstance(address, ipaddress.IPv4Address | ipaddress.IPv6Address)
        ),
        subject=subject_of(certificate),
    )


def subject_of(certificate: x509.Certificate) -> str:
    """Return the subject, printable."""
    return _rfc4514(certificate.subject)


def issuer_of(certificate: x509.Certificate) -> str:
    """Return the name of the issuer, printable."""
    return _rfc4514(certificate.issuer)


def printable(text: str) -> str:
    """Make text from a certificate fit for one line of a log: no control characters, not long."""
    if text.isprintable() and len(text) <= _SHOWN:
        return text
    clean = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)
    return clean if len(clean) <= _SHOWN else f"{clean[: _SHOWN - 1]}…"


def _rfc4514(name: x509.Name) -> str:
    return printable(name.rfc4514_string()) or "(no subject)"
