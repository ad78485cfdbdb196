"""Chains that were found good, for as long as a fresh judgement could say nothing else (ADR 0029).

The same few peers come again and again, with the same bytes. What a chain is judged by is those
bytes, the purpose, the roots, which never change, and the time: and that only by comparing it with
the moments at which a certificate begins or ends. So a judgement is used between two such moments
of all certificates that took part, and of all roots, whether they took part or not. A refusal is
never remembered, nor whether somebody is revoked, nor whether a name is wanted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from cryptography import x509

from pqproxy.crypto.peer_certificates import KEPT
from pqproxy.identity.names import MALFORMED
from pqproxy.identity.peer import PeerIdentity, Purpose

# What compares times may leave out the fraction of a second, or may not.
_FRACTION = 1.0

_Key = tuple[Purpose, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class _Judgement:
    identity: PeerIdentity
    since: float  # unix seconds
    until: float  # not any more then


class Judgements:
    """The good ones of one trust set, of the last peers. May be used on any thread."""

    __slots__ = ("_kept", "_moments")

    def __init__(self, roots: Iterable[x509.Certificate]) -> None:
        self._moments = _moments(roots)
        self._kept: dict[_Key, _Judgement] = {}

    def find(self, chain: Sequence[bytes], purpose: Purpose, now: datetime) -> PeerIdentity | None:
        """Who showed these very bytes, if they were judged and nothing began or ended since."""
        judgement = self._kept.get(_key(chain, purpose))
        if judgement is None or not judgement.since <= now.timestamp() < judgement.until:
            return None
        return judgement.identity

    def keep(
        self,
        chain: Sequence[bytes],
        certificates: Iterable[x509.Certificate],
        identity: PeerIdentity,
        now: datetime,
    ) -> None:
        """Remember a chain that is good `now`; the certificates are all that were looked at."""
        time = now.timestamp()
        others = _moments(certificates)
        if self._moments is None or others is None:
            return
        moments = (*self._moments, *others)
        since = max((moment for moment in moments if moment <= time), default=-inf) + _FRACTION
        until = min((moment for moment in moments if moment > time), default=inf)
        if time < since:  # too close to tell
            return
        if len(self._kept) >= KEPT:  # who still comes is soon here again
            self._kept.clear()
        self._kept[_key(chain, identity.purpose)] = _Judgement(identity, since, until)


def _key(chain: Sequence[bytes], purpose: Purpose) -> _Key:
    return purpose, tuple(map(bytes, chain))


def _moments(certificates: Iterable[x509.Certificate]) -> tuple[float, ...] | None:
    """When they begin and end; None where one tells a date that is none, such as in year 0.

    A peer can put such a certificate beside a path that is good without it.
    """
    moments: list[float] = []
    try:
        for certificate in certificates:
            moments.append(certificate.not_valid_before_utc.timestamp())
            moments.append(certificate.not_valid_after_utc.timestamp())
    except MALFORMED:
        return None
    return tuple(moments)
