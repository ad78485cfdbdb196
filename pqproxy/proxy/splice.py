"""Join two Duplexes: what one reads the other sends, with back-pressure.

An end of one direction is passed on as what it is (half-close as half-close, reset as reset), and
the splice is over when both sides are gone. Timers look at byte counts from time to time, so that
data costs them nothing.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from pqproxy.config.values import Timeouts
from pqproxy.proxy.buffers import Batch
from pqproxy.proxy.descriptor import NOBODY
from pqproxy.proxy.duplex import Duplex
from pqproxy.proxy.specialized import own_copies
from pqproxy.telemetry.reasons import EndReason

# A timer of n seconds looks n / 4 seconds apart: it fires at most a quarter late.
_LOOKS = 4


class Owner(Protocol):
    """Who a flow tells what its source did."""

    def cut(self, reason: EndReason) -> None:
        """One side is gone."""

    def half_closed(self, flow: "Flow") -> None:
        """One direction ended."""

    def closed(self) -> None:
        """One side is closed cleanly."""


class _Over:
    """The owner of the flows of a splice that is done. Late words change nothing any more.

    Without it a splice and its flows would hold each other, and with them both sides, until the
    garbage collector comes: that was a tenth of what a new connection costs.
    """

    __slots__ = ()

    def cut(self, reason: EndReason) -> None:
        """Both sides are gone already."""

    def half_closed(self, flow: "Flow") -> None:
        """Both sides are gone already."""

    def closed(self) -> None:
        """Both sides are gone already."""


_OVER = _Over()


class Flow:
    """The sink of one side: carries what `source` reads to `target`."""

    __slots__ = ("_write", "bytes", "ended", "first_byte", "gone", "owner", "source", "target")

    def __init__(self, owner: Owner, source: Duplex, target: Duplex) -> None:
        self.owner, self.source, self.target = owner, source, target
        self._write = target.write
        self.bytes = 0
        self.first_byte: float | None = None
        self.ended = False  # source has half-closed
        self.gone = False  # source is closed

    def on_data(self, batch: Batch) -> None:
        """Pass bytes on."""
        if not self.bytes:
            self.first_byte = time.monotonic()  # a loop's time may be of milliseconds only
        self.bytes += batch.length
        write = self._write  # in two steps: a call through a slot's value is not specialised
        if not write(batch):
            self.source.pause()

    def on_writable(self) -> None:
        """The source takes bytes again, so its other side may read."""
        self.target.resume()

    def on_end(self) -> None:
        """Pass a half-close on."""
        self.ended = True
        self.target.end()
        self.owner.half_closed(self)

    def on_abort(self, reason: EndReason) -> None:
        """One side is gone: reset the other."""
        self.gone = True
        self.owner.cut(reason)

    def on_closed(self) -> None:
        """The source is closed, cleanly."""
        self.gone = True
        self.owner.closed()


@own_copies("on_data")
class _FromA(Flow):
    """The flow of side a."""

    __slots__ = ()


@own_copies("on_data")
class _FromB(Flow):
    """The flow of side b."""

    __slots__ = ()


class Splice:
    """Two joined Duplexes, from the moment both exist until both are gone."""

    __slots__ = (
        "_half_closed",
        "_idle_timer",
        "_on_done",
        "_timeouts",
        "_timer",
        "a",
        "b",
        "done",
        "from_a",
        "from_b",
        "loop",
    )

    def __init__(
        self,
        a: Duplex,
        b: Duplex,
        timeouts: Timeouts,
        loop: asyncio.AbstractEventLoop,
        on_done: Callable[[EndReason], None],
    ) -> None:
        self.a, self.b, self.loop = a, b, loop
        self._timeouts, self._on_done = timeouts, on_done
        self.done = False
        self.from_a, self.from_b = _FromA(self, a, b), _FromB(self, b, a)
        self._half_closed: _Watch | None = None
        self._idle_timer: _Watch | None = None
        if timeouts.idle is not None:
            flows = (self.from_a, self.from_b)
            self._idle_timer = _Watch(self, flows, timeouts.idle, EndReason.IDLE_TIMEOUT)
        a.attach(self.from_a)
        b.attach(self.from_b)
        a.resume()
        b.resume()

    def cut(self, reason: EndReason) -> None:
        """End both sides at once, with a reset."""
        if self.done:
            return
        for duplex in (self.a, self.b):
            if not duplex.closed:
                duplex.abort(reason)
        self._finish(reason)

    def half_closed(self, flow: Flow) -> None:
        """One direction ended. Watch the other, once it has sent something.

        A client that half-closed may wait long for the first token of its answer; only an answer
        that began and then stopped is a leak.
        """
        other = self.from_b if flow is self.from_a else self.from_a
        limit = self._timeouts.half_close
        if limit is not None and not other.ended and not self.done:
            reason = EndReason.HALF_CLOSE_TIMEOUT
            self._half_closed = _Watch(self, (other,), limit, reason, after_first=True)

    def closed(self) -> None:
        """One side is closed cleanly; over when both are."""
        if self.from_a.gone and self.from_b.gone and not self.done:
            self._finish(EndReason.FINISHED)

    def _finish(self, reason: EndReason) -> None:
        self.done = True
        for watch in (self._half_closed, self._idle_timer):
            if watch is not None:
                watch.cancel()
        self._half_closed = self._idle_timer = None
        for flow in (self.from_a, self.from_b):
            flow.source.attach(NOBODY)
            flow.owner = _OVER
        self._on_done(reason)


class _Watch:
    """A rolling timer over the bytes of some flows; cuts the splice when they stand still."""

    __slots__ = ("_bytes", "_flows", "_handle", "_limit", "_moved", "_reason", "_splice")

    def __init__(
        self,
        splice: Splice,
        flows: tuple[Flow, ...],
        limit: float,
        reason: EndReason,
        *,
        after_first: bool = False,
    ) -> None:
        self._splice, self._flows, self._limit, self._reason = splice, flows, limit, reason
        self._bytes = self._count()
        # None: not started, because nothing was sent since the watch began.
        self._moved: float | None = None if after_first else splice.loop.time()
        self._handle = splice.loop.call_later(limit / _LOOKS, self._look)

    def cancel(self) -> None:
        self._handle.cancel()

    def _count(self) -> int:
        return sum(flow.bytes for flow in self._flows)

    def _look(self) -> None:
        now, count = self._splice.loop.time(), self._count()
        if count != self._bytes:
            self._bytes, self._moved = count, now
        elif self._moved is not None and now - self._moved >= self._limit:
            self._splice.cut(self._reason)
            return
        self._handle = self._splice.loop.call_later(self._limit / _LOOKS, self._look)
