"""One stream of a tunnel as a Duplex: joined by a `Splice` like any socket.

Small data is copied into the tunnel's outbox and leaves with that of all others at the end of the
turn; large data is encrypted where it was read. What comes while nobody takes it waits here, within
the window that was granted for it. What does not fit the peer's window waits, too, and the other
side is paused until it has left.
"""

from __future__ import annotations

from typing import Protocol

from pqproxy.proxy.buffers import (
    HEADROOM,
    PAYLOAD,
    WORTH_LENDING,
    Batch,
    Buffer,
    BufferPool,
    Kept,
    KeptBatch,
    SlotBatch,
)
from pqproxy.proxy.descriptor import NOBODY, Side
from pqproxy.proxy.duplex import Sink
from pqproxy.proxy.poller import Poller
from pqproxy.proxy.tunnel_codes import describe, end_for_reset, reset_for_end
from pqproxy.proxy.tunnel_sender import TunnelSender
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tunnel import Budget, ReceiveWindow, Reset, Stream, Tunnel

# Of a window that was granted so much at once no piece of a slot is used up: its owner grants more
# when half of it is consumed, so that comes, and one read then takes what would else be three.
_LARGE_GRANT = 4 * PAYLOAD

# In the place of one that is gone: else a stream and its Duplex would hold each other.
_NO_STREAM = Stream(0, 0, ReceiveWindow(Budget(0), 0, 0.0))
_NO_STREAM.gone = True


class Carrier(Protocol):
    """What a stream sees of its `TunnelLink`."""

    tunnel: Tunnel
    sender: TunnelSender
    poller: Poller
    pool: BufferPool
    side: Side
    name: str


class TunnelStream:
    """A Duplex over one stream.

    Attributes:
        closed: see `Duplex`.
        id: its number in its tunnel.
        side: what its ends are called.
        said: what the other side said when it reset the stream.
    """

    __slots__ = (
        "_at_once",
        "_direct",
        "_end_waits",
        "_held",
        "_link",
        "_out_ended",
        "_outbox",
        "_owes_closed",
        "_owes_writable",
        "_paused",
        "_queued",
        "_receive",
        "_sender",
        "_sink",
        "_stream",
        "_taking",
        "_unsent",
        "closed",
        "id",
        "said",
        "side",
    )

    def __init__(self, stream: Stream, link: Carrier) -> None:
        self._stream, self._link, self.side = stream, link, link.side
        self.id, self._sender = stream.id, link.sender
        self._outbox, self._receive = link.tunnel.outbox, stream.receive
        self._sink: Sink = NOBODY
        # For the paths of small data: what is written leaves with everybody's, if it is no longer
        # than this; what comes goes to the sink at once.
        self._at_once = PAYLOAD if self._sender.takes_slots else -1
        self._direct = False
        self.closed, self._paused = False, True
        self.said: str | None = None
        self._queued = self._end_waits = False  # a turn was asked for; the peer's end is here
        self._out_ended = self._owes_writable = self._owes_closed = False
        self._taking = 0  # bytes that the sink has, and has not got rid of
        self._held: list[Kept] | None = None  # came while nobody took it; never empty
        self._unsent: bytearray | None = None  # does not fit the peer's window, or the socket
        stream.owner = self

    @property
    def tunnel(self) -> str:
        """The name of its tunnel."""
        return self._link.name

    @property
    def ends_at_once(self) -> bool:
        """Whether the peer has reset it, of which it is told in a moment."""
        return self._stream.gone

    def attach(self, sink: Sink) -> None:
        """Say who receives what comes; while it is paused, another may take over."""
        self._sink = sink

    def room(self) -> int:
        """How many bytes should be read for it at most."""
        return min(self._sender.room, self._stream.send_window)

    # Sending.

    def write(self, batch: Batch) -> bool:
        """Send. False: accepted, but send no more until `on_writable`."""
        stream, outbox, length = self._stream, self._outbox, batch.length
        if (
            length > self._at_once
            or length >= stream.send_window
            or outbox.full
            or type(batch) is not SlotBatch
        ):
            return self._write_more(batch)
        outbox.put_data(stream, batch.memory[HEADROOM : HEADROOM + length])
        sender = self._sender
        if not sender.flush_asked:
            sender.ask_for_flush()
        return True

    def _write_more(self, batch: Batch) -> bool:
        """`write` for what is large, or comes while something waits."""
        if self.closed:
            return False
        sent = 0
        if self._at_once > 0 and not self._outbox.full and type(batch) is SlotBatch:
            sent = self._sender.send_slots(self._stream, batch)
        if sent < batch.length:
            self._put_rest(batch, sent)
        if self._may_go_on():
            return True
        self._owes_writable = True
        self._wait_for_socket()
        return False

    def _put_rest(self, batch: Batch, sent: int) -> None:
        for view in batch.views():
            if sent >= len(view):
                sent -= len(view)
            else:
                self._put(memoryview(view)[sent:])
                sent = 0

    def _put(self, data: memoryview) -> None:
        """Queue what window and socket allow, keep the rest, which goes if the stream does."""
        if self._unsent is None:
            data = data[self._queue(data) :]
            if not data:
                return
            self._unsent, self._at_once = bytearray(), -1
        self._unsent += data
        self._link.pool.count(len(data))

    def _queue(self, data: Buffer) -> int:
        """Put into the outbox what window and socket allow; returns how many bytes that was."""
        stream, outbox, sent = self._stream, self._outbox, 0
        allowed = min(len(data), stream.send_window)
        while sent < allowed and not outbox.full:
            piece = bytes(data[sent : min(sent + outbox.most_data, allowed)])
            outbox.put_data(stream, piece)
            sent += len(piece)
        if sent:
            self._sender.ask_for_flush()
        return sent

    def _may_go_on(self) -> bool:
        return self._unsent is None and not self._outbox.full and self._window_is_open()

    def _window_is_open(self) -> bool:
        least = PAYLOAD if self._stream.largest_grant >= _LARGE_GRANT else 1
        return self._stream.send_window >= least

    def go_on(self) -> None:
        """The window is open again, or it is our turn to send: tell whoever has to write."""
        if self.closed:
            return
        if self._unsent is not None:
            self._send_unsent(self._unsent)
        if not self._may_go_on():
            self._wait_for_socket()
        elif self._owes_writable:
            self._owes_writable = False
            self._sink.on_writable()

    def _send_unsent(self, unsent: bytearray) -> None:
        with memoryview(unsent) as view:
            sent = self._queue(view)
        del unsent[:sent]
        self._link.pool.count(-sent)
        if not unsent:
            self._unsent = None
            self._at_once = PAYLOAD if self._sender.takes_slots else -1
            if self._out_ended:
                self._say_end()

    def _wait_for_socket(self) -> None:
        """Unless it is the window that is used up: then WINDOW will tell."""
        if self._unsent is not None:
            waits = self._stream.send_window > 0
        else:
            waits = self._owes_writable and self._window_is_open()
        if waits:
            self._sender.wait(self)

    def end(self) -> None:
        """Half-close, after everything written before."""
        if self.closed or self._out_ended:
            return
        self._out_ended = True
        if self._unsent is None:
            self._say_end()

    def _say_end(self) -> None:
        self._link.tunnel.end(self._stream)
        self._sender.ask_for_flush()
        self._close_if_done()

    def abort(self, reason: EndReason) -> None:
        """End both directions. The sink hears nothing more."""
        if not self.closed:
            self.refuse(reset_for_end(reason))

    def refuse(self, why: Reset) -> None:
        """`abort` in words for the other side."""
        stream = self._stream
        self._drop()
        self._link.tunnel.reset(stream, why)
        self._sender.ask_for_flush()

    # Receiving.

    def pause(self) -> None:
        """Take no more; what the peer may send still comes, and waits."""
        self._paused, self._direct = True, False

    def resume(self) -> None:
        """Go on, from the next turn."""
        self._paused = False
        if self._taking:
            taken, self._taking = self._taking, 0
            self._receive.waited = True
            self._consumed(taken)
        if self._held is None:
            self._direct = True
        if self._held is not None or self._end_waits:
            self._ask_for_turn()

    def on_data(self, batch: Batch) -> None:
        """Data came, lent as to every sink."""
        if self._direct:  # nearly always
            length = batch.length
            self._sink.on_data(batch)
            receive = self._receive
            receive.consumed += length
            if not self._direct or receive.consumed >= receive.due:
                self._look_at_window(length)
        elif not self.closed:
            self._hold(batch)

    def _look_at_window(self, length: int) -> None:
        if self._paused:  # the sink keeps what it could not send, and says so when it has
            self._receive.consumed -= length
            self._taking += length
        else:
            self._consumed(0)

    def _consumed(self, length: int) -> None:
        if self._link.tunnel.consumed(self._stream, length):
            self._sender.ask_for_flush()

    def _hold(self, batch: Batch) -> None:
        """Where it was read, if it is much: while its reader rests, bulk is not copied."""
        views = batch.views()
        if self._held is None:
            self._held = [batch.keep(views)]
        elif batch.length >= WORTH_LENDING:
            self._held.append(batch.keep(views))
        else:
            for view in views:
                self._held[-1].append(view)

    def on_end(self) -> None:
        """The peer half-closed."""
        if self._direct:
            self._pass_end_on()
        else:
            self._end_waits = True
            if not self._paused:
                self._ask_for_turn()

    def _pass_end_on(self) -> None:
        self._sink.on_end()
        if self._is_done():
            self._drop()
            self._sink.on_closed()

    def on_reset(self, why: Reset) -> None:
        """The peer ended both directions."""
        if not self.closed:
            self.said = f"the other side said {describe(why.code, why.text)}"
            self.vanish(end_for_reset(why, self.side))

    def vanish(self, reason: EndReason) -> None:
        """Both directions are gone: tell the sink."""
        if not self.closed:
            self._drop()
            self._sink.on_abort(reason)

    # What the poller calls.

    def on_events(self, mask: int) -> None:
        """Never: no descriptor is ours."""

    def on_turn(self) -> None:
        """A turn that was asked for: what was held, and the end behind it."""
        self._queued = False
        if self._owes_closed:
            self._owes_closed = False
            self._sink.on_closed()
        if self.closed or self._paused:
            return
        self._deliver_held()
        if self._end_waits and not self._paused and not self.closed and self._held is None:
            self._end_waits = False
            self._pass_end_on()

    def _deliver_held(self) -> None:
        while self._held is not None and not self._paused:
            batch = KeptBatch(self._link.pool, self._held.pop(0))
            if not self._held:
                self._held, self._direct = None, True
            try:
                self._sink.on_data(batch)
            finally:
                batch.done()
            self._receive.consumed += batch.length
            self._look_at_window(batch.length)

    def crashed(self) -> None:
        """Something in our own code failed."""
        if not self.closed:
            self.abort(EndReason.INTERNAL_ERROR)
            self._sink.on_abort(EndReason.INTERNAL_ERROR)

    def _ask_for_turn(self) -> None:
        if not self._queued:
            self._queued = True
            self._link.poller.again(self)

    @property
    def unsent(self) -> int:
        """See `Duplex`."""
        return 0 if self._unsent is None else len(self._unsent)

    @property
    def buffered(self) -> int:
        """Bytes that it keeps, in both directions."""
        return self.unsent + sum(kept.size for kept in self._held or ())

    # Ending.

    def _is_done(self) -> bool:
        return self._stream.gone and not (self.closed or self._end_waits or self._held)

    def _close_if_done(self) -> None:
        if self._is_done():
            self._drop()
            # Asked for by `end()`, perhaps: so the sink is told in a later turn.
            self._owes_closed = True
            self._ask_for_turn()

    def _drop(self) -> None:
        self.closed, self._direct, self._at_once = True, False, -1
        for kept in self._held or ():
            kept.release()
        if self._unsent is not None:
            self._link.pool.count(-len(self._unsent))
        self._held = self._unsent = None
        self._sender.forget(self)
        self._receive.release()
        self._stream = _NO_STREAM
