"""Join two Duplexes: what one reads the other sends, with back-pressure.

An end of one direction is passed on as what it is (half-close as half-close, reset as reset), and
the splice is over when both sides are gone.
"""

import time
from collections.abc import Callable
from typing import Protocol

from pqproxy.proxy.buffers import Batch
from pqproxy.proxy.descriptor import NOBODY
from pqproxy.proxy.duplex import Duplex
from pqproxy.proxy.specialized import own_copies
from pqproxy.proxy.vigil import Vigils
from pqproxy.telemetry.reasons import EndReason


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

    __slots__ = (
        "_write",
        "bytes",
        "counted",
        "ended",
        "first_byte",
        "gone",
        "owner",
        "source",
        "target",
    )

    def __init__(self, owner: Owner, source: Duplex, target: Duplex) -> None:
        self.owner, self.source, self.target = owner, source, target
        self._write = target.write
        self.bytes = 0
        self.counted = 0  # of these, by whoever keeps the counters
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

    @property
    def delivered(self) -> int:
        """Bytes that have left."""
        return self.bytes - self.target.unsent

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
        "_on_done",
        "_vigils",
        "a",
        "b",
        "done",
        "from_a",
        "from_b",
    )

    def __init__(
        self,
        a: Duplex,
        b: Duplex,
        vigils: Vigils,
        on_done: Callable[[EndReason], None],
    ) -> None:
        self.a, self.b = a, b
        self._vigils, self._on_done = vigils, on_done
        self.done = False
        self.from_a, self.from_b = _FromA(self, a, b), _FromB(self, b, a)
        if vigils.idle is not None:
            vigils.idle.begin(self, self.from_a, self.from_b)
        a.attach(self.from_a)
        b.attach(self.from_b)
        a.resume()
        b.resume()

    def take_uncounted(self) -> tuple[int, int]:
        """How many bytes came from a, and from b, since it was asked last."""
        from_a, from_b = self.from_a, self.from_b
        new = from_a.bytes - from_a.counted, from_b.bytes - from_b.counted
        from_a.counted, from_b.counted = from_a.bytes, from_b.bytes
        return new

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
        if other.ended or self.done:
            return
        vigil = self._vigils.half_close
        if vigil is not None:
            vigil.begin_after_next(self, other)

    def closed(self) -> None:
        """One side is closed cleanly; over when both are."""
        if self.from_a.gone and self.from_b.gone and not self.done:
            self._finish(EndReason.FINISHED)

    def _finish(self, reason: EndReason) -> None:
        self.done = True
        vigils, flow, other = self._vigils, self.from_a, self.from_b
        if vigils.half_close is not None:
            vigils.half_close.end(self)
        if vigils.idle is not None:
            vigils.idle.end(self)
        flow.owner = other.owner = _OVER
        self.a.attach(NOBODY)
        self.b.attach(NOBODY)
        on_done, self._on_done = self._on_done, _told  # it knows the splice, perhaps
        on_done(reason)


def _told(_reason: EndReason) -> None:
    """Its end was told."""
