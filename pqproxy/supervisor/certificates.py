"""When the certificates of this run end, for metrics and status. Never a key."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

from pqproxy.config.values import Settings
from pqproxy.identity.pem import without_roots

SOON = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class CertificateEnd:
    """The earliest end among the certificates that play one role under one name."""

    identity: str  # of an identity, or of a trust set for roots
    role: str  # leaf | intermediate | root
    not_after: datetime


def certificate_ends(settings: Settings) -> tuple[CertificateEnd, ...]:
    """Read the end of every configured certificate."""
    return tuple(_ends(settings))


def ending_soon(ends: Iterable[CertificateEnd], now: datetime) -> Iterator[str]:
    """A warning for each that ends soon or has ended: files are read again by a reload only."""
    for end in ends:
        left = end.not_after - now
        if left < SOON:
            when = f"in {left // timedelta(hours=1)} hours" if left > timedelta(0) else "already"
            yield (
                f"the {end.role} certificate of {end.identity} ends {when}"
                f" ({end.not_after:%Y-%m-%d %H:%M} UTC): renew, reload"
            )


def _ends(settings: Settings) -> Iterator[CertificateEnd]:
    for identity in settings.identities:
        chain = without_roots(tuple(x509.load_pem_x509_certificates(identity.certificate)))
        yield CertificateEnd(identity.name, "leaf", _earliest(chain[:1]))
        if chain[1:]:
            yield CertificateEnd(identity.name, "intermediate", _earliest(chain[1:]))
    for trust in settings.trust:
        roots = [root for pem in trust.roots for root in x509.load_pem_x509_certificates(pem)]
        if roots:
            yield CertificateEnd(trust.name, "root", _earliest(roots))


def _earliest(certificates: Iterable[x509.Certificate]) -> datetime:
    return min(certificate.not_valid_after_utc for certificate in certificates)
