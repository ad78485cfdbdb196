"""Cuts joined connections whose bytes stand still.

One timer for all of a service, which looks at byte counts from time to time: data costs it nothing,
and neither does a connection that is over before the next look.
"""

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import Protocol

from pqproxy.config.values import Timeouts
from pqproxy.telemetry.reasons import EndReason

# Of n seconds, looks are n / 4 seconds apart: so a connection is cut at most a quarter late.
_LOOKS = 4
_TURN = 0.002  # seconds of looking in one turn of the loop


class Flow(Protocol):
    """One direction."""

    @property
    def delivered(self) -> int:
        """Bytes that have left: what was read at once may take a slow reader a minute."""


class Cuttable(Protocol):
    """What is cut."""

    def cut(self, reason: EndReason) -> None:
        """End both sides with a reset."""


class _Watched:
    __slots__ = ("delivered", "flows", "moved")

    def __init__(self, flows: tuple[Flow, ...], delivered: int, moved: float | None) -> None:
        self.flows, self.delivered = flows, delivered
        self.moved = moved  # when bytes were seen to; None: not since the watch began


class Vigil:
    """Watches over flows, and cuts those that stand still for `limit` seconds."""

    __slots__ = ("_limit", "_loop", "_reason", "_timer", "_watched")

    def __init__(self, loop: asyncio.AbstractEventLoop, limit: float, reason: EndReason) -> None:
        self._loop, self._limit, self._reason = loop, limit, reason
        self._watched: dict[Cuttable, _Watched] = {}
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._watched)

    def begin(self, what: Cuttable, *flows: Flow) -> None:
        """Watch these flows of it together."""
        self._watch(what, _Watched(flows, _count(flows), self._loop.time()))

    def begin_after_next(self, what: Cuttable, flow: Flow) -> None:
        """Watch one flow of it, from the next byte on."""
        self._watch(what, _Watched((flow,), flow.delivered, None))

    def _watch(self, what: Cuttable, watched: _Watched) -> None:
        self._watched[what] = watched
        if self._timer is None:
            self._timer = self._loop.call_later(self._limit / _LOOKS, self._look)

    def end(self, what: Cuttable) -> None:
        """It is over; nothing happens where it was not watched."""
        self._watched.pop(what, None)

    def _look(self) -> None:
        self._timer = None
        if self._watched:
            self._timer = self._loop.call_later(self._limit / _LOOKS, self._look)
            self._go_on(iter(list(self._watched.items())))

    def _go_on(self, left: Iterator[tuple[Cuttable, _Watched]]) -> None:
        now, end = self._loop.time(), monotonic() + _TURN
        for what, watched in left:
            delivered = _count(watched.flows)
            if delivered != watched.delivered:
                watched.delivered, watched.moved = delivered, now
            elif watched.moved is not None and now - watched.moved >= self._limit:
                what.cut(self._reason)  # nothing happens if it is over since this look began
            if monotonic() >= end:
                self._loop.call_soon(self._go_on, left)
                return


class Vigils:
    """Those of one service.

    Attributes:
        idle: over connections in which nothing moves; None: they may stay for ever.
        half_close: over answers that stopped, of clients that have ended; the same.
    """

    __slots__ = ("half_close", "idle")

    def __init__(self, timeouts: Timeouts, loop: asyncio.AbstractEventLoop) -> None:
        idle, half_close = timeouts.idle, timeouts.half_close
        self.idle = self.half_close = None
        if idle is not None:
            self.idle = Vigil(loop, idle, EndReason.IDLE_TIMEOUT)
        if half_close is not None:
            self.half_close = Vigil(loop, half_close, EndReason.HALF_CLOSE_TIMEOUT)


def _count(flows: tuple[Flow, ...]) -> int:
    return sum(flow.delivered for flow in flows)
