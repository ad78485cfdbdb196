"""Ends connections whose peers were good when they came, and are believed no more.

Whoever is open is judged again, by what is remembered of the peer: a few at a time, so that neither
judging ten thousand nor ending them keeps bytes of others waiting.
"""

import asyncio
import math
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from time import monotonic

from pqproxy.identity.errors import CERTIFICATE_EXPIRED, Refused
from pqproxy.identity.peer import PeerIdentity
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry.reasons import EndReason, ReasonCode

_TURN = 0.002  # seconds of such work in one turn of the loop

# Raises Refused for a peer that is to go.
Rejudge = Callable[[PeerIdentity], None]


class Withdrawal:
    """Judges the open connections of one service again."""

    def __init__(self, visits: Iterable[Visit], loop: asyncio.AbstractEventLoop) -> None:
        self._visits, self._loop = visits, loop

    def sweep(self, judge: Rejudge) -> None:
        """Begin to judge everybody who is here now: a tunnel after the streams that it carries."""
        self._go_on(reversed(list(self._visits)), judge)

    def _go_on(self, left: Iterator[Visit], judge: Rejudge) -> None:
        deadline = monotonic() + _TURN
        for visit in left:
            if visit.identity is not None:
                try:
                    judge(visit.identity)
                except Refused as refusal:
                    _end(visit, refusal)
            if monotonic() >= deadline:
                self._loop.call_soon(self._go_on, left, judge)
                return


def _end(visit: Visit, refusal: Refused) -> None:
    """End one connection, wherever it is in its life."""
    reason, task = EndReason(refusal.reason), visit.task  # the same words
    if visit.splice is None:
        if visit.left is None and task is not None and not task.done():
            visit.refusal, visit.left = refusal, reason
            task.cancel()
    elif not visit.splice.done:
        visit.refusal = refusal
        visit.splice.cut(reason)


class Expiry:
    """`on_expiry: cut`: no connection of a service outlives its peer's certificates.

    One timer for all of them, for the first that ends. Others may end with it, or be gone by then:
    it looks at everybody, and is set again by whoever ends next.
    """

    SOONEST = 0.25  # seconds between two looks: certificates may end one shortly after the other
    LATEST = 60.0  # the clock that certificates are judged by may be set

    def __init__(
        self,
        withdrawal: Withdrawal,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:
        self._withdrawal, self._loop, self._clock = withdrawal, loop, clock
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, not_after: float) -> None:
        """Look again when this has come, in unix seconds."""
        if not_after >= self._due:
            return
        self._due = not_after
        wait = min(max(not_after - self._clock(), self.SOONEST), self.LATEST)
        at = self._loop.time() + wait
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._look)

    def _look(self) -> None:
        now = self._clock()
        self._due, self._timer = math.inf, None

        def judge(peer: PeerIdentity) -> None:
            if peer.not_after <= now:
                raise expired(peer)
            self.watch(peer.not_after)

        self._withdrawal.sweep(judge)


def expired(peer: PeerIdentity) -> Refused:
    """Why a peer goes whose certificate has ended since it came."""
    ended = datetime.fromtimestamp(peer.not_after, UTC)
    return Refused(
        ReasonCode.EXPIRED,
        CERTIFICATE_EXPIRED,
        f"the certificate of {peer.name}, or an authority above it, ended at {ended:%H:%M:%S} UTC",
        f"renew it before it ends, and let the {peer.purpose} connect anew; or on_expiry: finish",
    )
