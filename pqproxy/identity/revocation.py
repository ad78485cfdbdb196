"""Who is believed no more although the chain is good: revocation lists and `deny`.

A connection remembers the path by which its peer was believed as a few `CertificateId`s, so that it
can be judged again when other lists come, and a resumption by what its ticket says.
"""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from cryptography import x509

from pqproxy.config.patterns import SERIAL
from pqproxy.config.values import SERIAL_BYTES, RevokedSerials, TrustFiles
from pqproxy.crypto.peer_certificates import KEPT
from pqproxy.identity.errors import ACCESS_DENIED, CERTIFICATE_REVOKED, Refused
from pqproxy.identity.patterns import PatternIndex
from pqproxy.identity.peer import CertificateId, PeerIdentity
from pqproxy.identity.revocation_lists import (
    issuer_digest,
    read_revocation_lists,
)
from pqproxy.identity.roots import Root
from pqproxy.telemetry.reasons import ReasonCode

_LONGEST = 1 << 8 * SERIAL_BYTES


def identify(path: Iterable[x509.Certificate]) -> tuple[CertificateId, ...]:
    """What is remembered of certificates."""
    return tuple(map(_identify, path))


@lru_cache(maxsize=KEPT)
def _identify(certificate: x509.Certificate) -> CertificateId:
    return CertificateId(issuer_digest(certificate.issuer), certificate.serial_number)


class Revoked(Refused):
    """A peer is refused although it is who it says."""

    def __init__(self, peer: PeerIdentity, alert: str, detail: str, fix: str) -> None:
        super().__init__(ReasonCode.REVOKED, alert, detail, fix)
        self.peer = peer


@dataclass(frozen=True, slots=True)
class Revocations:
    """Whom one trust set believes no more."""

    lists: tuple[RevokedSerials, ...] = ()
    denied: PatternIndex = field(default_factory=lambda: PatternIndex(()))
    denied_serials: frozenset[int] = frozenset()

    @classmethod
    def load(cls, files: TrustFiles, roots: Iterable[Root]) -> "Revocations":
        """Read the lists, where that was not done before. Raises IdentityError."""
        certificates = [root.certificate for root in roots]
        lists = files.revoked + read_revocation_lists(files.crl, certificates)
        names = [entry for entry in files.deny if not entry.startswith(SERIAL)]
        serials = (entry for entry in files.deny if entry.startswith(SERIAL))
        return cls(
            lists,
            PatternIndex(names),
            frozenset(int(serial.removeprefix(SERIAL), 16) for serial in serials),
        )

    def check(self, peer: PeerIdentity) -> None:
        """Raise Revoked when a certificate of the peer's path is revoked, or the peer denied."""
        for above, certificate in enumerate(peer.path):
            if certificate.serial in self.denied_serials:
                where = f"its serial number {certificate.serial:x} is on the list deny"
            elif (lister := self._lister(certificate)) is not None:
                where = f"{lister} revoked it (serial {certificate.serial:x})"
            else:
                continue
            raise _revoked(peer, above, where)
        if (entry := self.denied.find(peer)) is not None:
            raise Revoked(
                peer,
                ACCESS_DENIED,
                f"{peer.name} is denied by {entry} in deny",
                f"take {entry} out of deny, if this {peer.purpose} is meant again",
            )

    def _lister(self, certificate: CertificateId) -> str | None:
        """Who revoked it. The search costs the same few steps in a list of any length."""
        if not 0 <= certificate.serial < _LONGEST:
            return None
        wanted = certificate.serial.to_bytes(SERIAL_BYTES, "big")
        for one in self.lists:
            if one.issuer == certificate.issuer and _holds(one.serials, wanted):
                return one.authority
        return None


def _holds(serials: bytes, wanted: bytes) -> bool:
    def entry(index: int) -> bytes:
        return serials[index * SERIAL_BYTES : (index + 1) * SERIAL_BYTES]

    count = len(serials) // SERIAL_BYTES
    position = bisect_left(range(count), wanted, key=entry)
    return position < count and entry(position) == wanted


def _revoked(peer: PeerIdentity, above: int, where: str) -> Revoked:
    whose = "the certificate" if above == 0 else "an authority in the chain"
    fix = f"issue a new certificate, if this {peer.purpose} is still meant"
    if above:
        fix += ", from an authority that is in force"
    detail = f"{whose} of {peer.name} is revoked: {where}"
    return Revoked(peer, CERTIFICATE_REVOKED, detail, fix)
