"""When the certificates and revocation lists of this run end, and what to say of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509

from pqproxy.config.values import Settings
from pqproxy.identity.pem import without_roots

SOON = timedelta(days=7)
CRL = "crl"  # lists live for hours, some of them: only one that is overdue is worth a word


@dataclass(frozen=True, slots=True)
class CertificateEnd:
    """The earliest end among the certificates that play one role under one name."""

    identity: str  # of an identity, or of a trust set for roots and revocation lists
    role: str  # leaf | intermediate | root | crl
    not_after: datetime  # of a list: when a newer one is due

    @property
    def title(self) -> str:
        """What it is, for a sentence."""
        if self.role == CRL:
            return f"the revocation list of {self.identity}"
        return f"the {self.role} certificate of {self.identity}"


def certificate_ends(settings: Settings) -> tuple[CertificateEnd, ...]:
    """Read the end of every configured certificate and list."""
    return tuple(_ends(settings))


def warning_of(end: CertificateEnd, now: datetime) -> str | None:
    """What there is to say of one today."""
    left, ends = end.not_after - now, f"{end.not_after:%Y-%m-%d %H:%M} UTC"
    if end.role == CRL:
        overdue = f"{end.title} should have been replaced ({ends}): get a newer one"
        return overdue if left < timedelta(0) else None
    if left >= SOON:
        return None
    over = "ended" if left <= timedelta(0) else f"ends in {left // timedelta(hours=1)} hours"
    # Another root is told apart from it by name: nobody renews one in its place.
    fix = "let its successor stand beside it" if end.role == "root" else "renew it"
    return f"{end.title} {over} ({ends}): {fix}"


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
        due = [lists.next_update for lists in trust.revoked if lists.next_update is not None]
        if due:
            yield CertificateEnd(trust.name, CRL, datetime.fromtimestamp(min(due), UTC))


def _earliest(certificates: Iterable[x509.Certificate]) -> datetime:
    return min(certificate.not_valid_after_utc for certificate in certificates)
