"""One connected, non-blocking socket: what a plaintext and a TLS Duplex share.

It keeps the flags that edge-triggered polling needs, the bytes the kernel did not take, and the
order in which a connection ends. `write`, `end`, `abort`, `pause` and `resume` never call the sink:
what goes wrong in them is reported from the next turn of the poller.
"""

import contextlib
import secrets
import socket
import time
from dataclasses import dataclass, field

from pqproxy.proxy.buffers import Batch, Buffer, BufferPool, Kept, LooseBatch
from pqproxy.proxy.duplex import Sink
from pqproxy.proxy.lingering import Lingerers
from pqproxy.proxy.poller import ERROR, HANGUP, IN, OUT, READABLE, Poller
from pqproxy.proxy.signer import Signer
from pqproxy.proxy.socket_options import Socket, limit_queue, reset_on_close
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tunnel import Budget

_SWIFT = 0.02  # seconds: a full socket that drains within these may take more at once


@dataclass(frozen=True, slots=True)
class Side:
    """What an end is called, depending on whose side it came from."""

    left: EndReason
    alert: EndReason


CLIENT = Side(EndReason.CLIENT_LEFT, EndReason.CLIENT_ALERT)
UPSTREAM = Side(EndReason.UPSTREAM_LEFT, EndReason.UPSTREAM_ALERT)


@dataclass(frozen=True, slots=True)
class Engine:
    """What all connections of a worker share."""

    poller: Poller
    pool: BufferPool
    signer: Signer
    lingerers: Lingerers
    budget: Budget = field(default_factory=Budget)  # of the windows of all tunnels
    # Tells this worker from others behind one address.
    instance: int = field(default_factory=lambda: secrets.randbits(31) + 1)


class _Nobody:
    """The sink before there is one: whoever attaches looks at `closed` first."""

    __slots__ = ()

    def on_data(self, batch: Batch) -> None:
        """Never: a Duplex is born paused."""

    def on_end(self) -> None:
        """Never: a Duplex is born paused."""

    def on_abort(self, reason: EndReason) -> None:
        """Left to `closed`."""

    def on_writable(self) -> None:
        """Never: nothing was written."""

    def on_closed(self) -> None:
        """Left to `closed`."""


NOBODY = _Nobody()


class Descriptor:
    """A socket in the poller. Born paused.

    Attributes:
        closed: see `Duplex`.
        side: what its ends are called.
        swift: it drained fast when it was full last.
    """

    __slots__ = (
        "_broken",
        "_fd",
        "_full_at",
        "_hangup",
        "_in_ended",
        "_lingerers",
        "_out_ended",
        "_owes_closed",
        "_owes_writable",
        "_paused",
        "_poller",
        "_pool",
        "_queued",
        "_readable",
        "_sink",
        "_sock",
        "_unsent",
        "_watches_output",
        "closed",
        "side",
        "swift",
    )

    def __init__(self, sock: Socket, engine: Engine, side: Side) -> None:
        self._sock, self._fd = sock, sock.fileno()
        self._poller, self._pool, self.side = engine.poller, engine.pool, side
        self._lingerers = engine.lingerers
        self._sink: Sink = NOBODY
        self.closed = False
        self._paused = True
        self._readable = False  # an edge was reported and the queue is not known to be empty
        self._hangup = False  # a FIN or a failure is on its way: read on until it is found
        self._broken = False  # a send failed or the peer reset: to be reported in a turn
        self._queued = False  # a turn was asked for
        self._in_ended = self._out_ended = False
        self._unsent: Kept | None = None
        self._full_at = 0.0
        self.swift = False
        self._owes_writable = False
        self._owes_closed = False  # closed cleanly, and the sink does not know yet
        self._watches_output = False
        self._poller.add(self._fd, self)

    def attach(self, sink: Sink) -> None:
        """Say who receives what this side reads; while it is paused, another may take over."""
        self._sink = sink

    def pause(self) -> None:
        """Stop reading; no `on_data` comes from now on."""
        self._paused = True
        if self._broken:  # a paused side does not find the reset by reading
            self._ask_for_turn()

    def resume(self) -> None:
        """Read on, from the next turn."""
        self._paused = False
        if self._readable:
            self._ask_for_turn()

    def end(self) -> None:
        """Half-close, after everything written before."""
        if self.closed or self._out_ended:
            return
        self._out_ended = True
        self._say_end()
        if self._unsent is None:
            self._all_sent()

    def abort(self, reason: EndReason) -> None:
        """Reset both directions. The sink hears nothing more."""
        if not self.closed:
            self._last_words(reason)
            self._drop(reset=True)

    @property
    def unsent(self) -> int:
        """Bytes that the kernel did not take yet."""
        return 0 if self._unsent is None else self._unsent.size

    # What the poller calls.

    def on_events(self, mask: int) -> None:
        """Readiness."""
        if mask == IN and not self._paused:  # nearly always
            self._read()
            return
        if mask & ERROR and self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._broken = self._hangup = self._readable = True
            if self._paused or self._in_ended:
                self._vanish(self.side.left)
                return
        if mask & OUT and self._unsent is not None:
            self._flush(self._unsent)
        if mask & READABLE and not self._in_ended and not self.closed:
            self._readable = True
            if mask & HANGUP:
                self._hangup = True
            if self._paused:
                self._readable_while_paused()
            else:
                self._read()

    def on_turn(self) -> None:
        """A turn that was asked for."""
        self._queued = False
        if self.closed:
            if self._owes_closed:
                self._owes_closed = False
                self._sink.on_closed()
            return
        if self._broken and (self._paused or self._in_ended):
            self._vanish(self.side.left)
        elif self._readable and not self._paused and not self._in_ended:
            self._read()

    def crashed(self) -> None:
        """Something in our own code failed."""
        if not self.closed:
            self._last_words(EndReason.INTERNAL_ERROR)
        self._vanish(EndReason.INTERNAL_ERROR)

    # What the two kinds do differently.

    def _read(self) -> None:
        """Read once and hand it on."""
        raise NotImplementedError  # each of the two kinds has its own

    def _readable_while_paused(self) -> None:
        """Input waits; nobody wants it yet."""

    def _say_end(self) -> None:
        """Queue what tells the peer that no more data comes, if that is bytes."""

    def _all_sent(self) -> None:
        """Everything before `end` has left."""
        raise NotImplementedError  # each of the two kinds has its own

    def _last_words(self, reason: EndReason) -> None:
        """Send what precedes a reset, if the socket takes it at once."""

    # Sending.

    def _send(self, views: list[Buffer], batch: Batch) -> bool:
        """Send now what the kernel takes, keep the rest. False: nothing more until writable."""
        if len(views) == 1:
            return self._send_one(views[0], batch)
        if self._unsent is not None:
            for view in views:
                self._unsent.append(view)
            return False
        try:
            sent = self._sock.sendmsg(views)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._break()
            return False
        if sent == sum(map(len, views)):
            return True
        for position, view in enumerate(views):
            if sent < len(view):
                unsent = views[position:]
                unsent[0] = memoryview(view)[sent:]
                self._keep(unsent, batch)
                return False
            sent -= len(view)
        return True

    def _send_one(self, view: Buffer, batch: Batch) -> bool:
        """`_send` for one view."""
        if self._unsent is not None:
            self._unsent.append(view)
            return False
        try:
            sent = self._sock.send(view)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._break()
            return False
        if sent == len(view):
            return True
        self._keep([memoryview(view)[sent:]], batch)
        return False

    def _break(self) -> None:
        """The peer is gone: read on until that is found, and report it then."""
        self._broken = self._hangup = self._readable = True
        self._ask_for_turn()

    def _send_bytes(self, data: bytes) -> bool:
        views: list[Buffer] = [data]
        return self._send(views, LooseBatch(self._pool, views))

    def _keep(self, unsent: list[Buffer], batch: Batch) -> None:
        self._unsent, self._full_at = batch.keep(unsent), time.monotonic()
        if not self._watches_output:
            self._watches_output = True
            self._poller.watch_output(self._fd)

    def _flush(self, unsent: Kept) -> None:
        try:
            sent = self._sock.sendmsg(unsent.views)
        except BlockingIOError:
            return
        except OSError:
            self._break()
            return
        if not unsent.advance(sent):
            return
        self._unsent = None
        swift = time.monotonic() - self._full_at < _SWIFT
        if swift is not self.swift:
            self.swift = swift
            limit_queue(self._sock, swift=swift)
        if self._out_ended:
            self._all_sent()
        elif self._owes_writable:
            self._owes_writable = False
            self._sink.on_writable()

    # Ending.

    def _input_ended(self) -> None:
        """The peer half-closed, cleanly."""
        self._in_ended, self._readable = True, False
        self._sink.on_end()
        if self._is_done():
            self._drop(reset=False)
            self._sink.on_closed()

    def _is_done(self) -> bool:
        return not self.closed and self._in_ended and self._out_ended and self._unsent is None

    def _close_if_done(self) -> None:
        if self._is_done():
            self._drop(reset=False)
            # Asked for by `end()`, perhaps: so the sink is told in a later turn.
            self._owes_closed = True
            self._ask_for_turn()

    def _vanish(self, reason: EndReason) -> None:
        """Both directions are gone: tell the sink."""
        if not self.closed:
            self._break_off()
            self._sink.on_abort(reason)

    def _break_off(self) -> None:
        """Both directions are gone: let go of the socket as the peer deserves."""
        self._drop(reset=True)

    def _drop(self, *, reset: bool, lingers: bool = False) -> None:
        """Let go of the socket: at once, or when the peer has read what was said last."""
        self.closed = True
        all_said = self._unsent is None
        if self._unsent is not None:
            self._unsent.release()
            self._unsent = None
        if lingers and all_said:
            self._poller.remove(self._fd)
            if self._lingerers.take(self._sock):
                return
        else:
            self._poller.forget(self._fd)
        if reset:
            with contextlib.suppress(OSError):  # already gone
                reset_on_close(self._sock)
        self._sock.close()

    # Reading.

    def _nothing_read(self, error: OSError) -> None:
        """A read failed, or there was nothing to read."""
        if isinstance(error, BlockingIOError):
            self._readable = False
            if not self._broken:
                return
        self._vanish(self.side.left)

    def _ask_for_turn(self) -> None:
        if not self._queued:
            self._queued = True
            self._poller.again(self)
