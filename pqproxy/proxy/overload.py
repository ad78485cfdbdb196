"""Tells of connections that got no place: each is counted, and one line now and then says so."""

import time
from collections.abc import Callable

from pqproxy.proxy.refusals import OVERLOAD_FIX
from pqproxy.telemetry import log
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.labels import Decision
from pqproxy.telemetry.reasons import ReasonCode

_LINE_EVERY = 10.0  # seconds: refusing must stay cheaper than asking


class Overload:
    """Of one listener."""

    __slots__ = ("_clock", "_counters", "_line_at", "_listener", "_untold")

    def __init__(
        self,
        listener: str,
        counters: ListenerCounters,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._listener, self._counters, self._clock = listener, counters, clock
        self._line_at: float | None = None
        self._untold = 0  # turned away since that line

    def note(self, peer: str, limit: str | None) -> None:
        """Somebody was turned away; `limit` is the one that was met, with its value."""
        self._counters.decision(Decision.REFUSED, ReasonCode.OVERLOAD)
        now = self._clock()
        if self._line_at is not None and now - self._line_at < _LINE_EVERY:
            self._untold += 1
            return
        detail = f"limits.{limit} is reached"
        if self._untold:
            detail += f"; {self._untold} more were turned away since the last such line"
        self._line_at, self._untold = now, 0
        log.write(log.RefusalLine(self._listener, peer, ReasonCode.OVERLOAD, detail, OVERLOAD_FIX))
