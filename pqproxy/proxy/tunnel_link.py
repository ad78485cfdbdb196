"""A tunnel over its TLS connection: gives `Tunnel` a socket, a clock, and Duplexes for streams.

`TunnelSender` does the sending. Reading never waits for a stream or a socket, because streams wait
on windows; so two full sockets cannot wait for each other. It waits for the next turn only, where
so many small frames came that others would have to wait for them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from pqproxy.proxy.buffers import Batch, Buffer, LooseBatch, PieceBatch, RecordBatch
from pqproxy.proxy.descriptor import Engine
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.tunnel_codes import (
    PEER_ENDS,
    code_for_tunnel_end,
    describe,
    stream_end_for,
    tunnel_end_for,
)
from pqproxy.proxy.tunnel_sender import TunnelSender
from pqproxy.proxy.tunnel_stream import TunnelStream
from pqproxy.telemetry.reasons import EndReason, TunnelEnd
from pqproxy.tunnel import (
    DATA,
    Came,
    GoAway,
    Open,
    Reset,
    Stream,
    Tunnel,
    TunnelError,
    stream_of_lone,
)
from pqproxy.tunnel.frames import HEADER_LENGTH

_LOOK_EVERY = 5.0  # seconds
_TURN = 0.002  # seconds: for the frames of one tunnel in one turn of the loop
_TOGETHER = 128  # records
_RUN = 4  # records: fewer are no bulk transfer
_PATIENCE = 5.0  # seconds: for the peer to close, once nothing is left to say

_log = logging.getLogger(__name__)

Welcome = Callable[[TunnelStream, Open], None]


class TunnelLink:
    """One tunnel, and the sink of its connection.

    Attributes:
        tunnel: its frames.
        sender: how they get into the connection.
        streams: how many are open.
        closed: nothing can be sent or received any more.
        on_up: called when the peer has said its SETTINGS.
        on_going_away: called when the peer wants no more streams.
        on_round_trip: called with each measurement, in seconds.
        on_gone: called once, with how it ended and a word about that for the log.
        name: the same on both sides, for the logs.
        opened: how many streams there ever were.
        cut_off: how many of these its end cut off.
    """

    __slots__ = (
        "_end",
        "_end_waits",
        "_finishing",
        "_peer_said",
        "_put_off_records",
        "_receive",
        "_timer",
        "_tls",
        "_welcome",
        "closed",
        "cut_off",
        "name",
        "on_going_away",
        "on_gone",
        "on_round_trip",
        "on_up",
        "opened",
        "poller",
        "pool",
        "sender",
        "side",
        "tunnel",
    )

    def __init__(self, tls: TlsDuplex, tunnel: Tunnel, engine: Engine, welcome: Welcome) -> None:
        self._tls, self.tunnel, self._welcome = tls, tunnel, welcome
        self.poller, self.pool, self.side = engine.poller, engine.pool, tls.side
        self.sender = TunnelSender(tls, tunnel, engine, self._on_flushed, self._on_crash)
        self._receive = tunnel.receive
        self.closed = self._finishing = self._end_waits = False
        self._put_off_records: list[Buffer] = []  # for the next turn, the peer's end behind them
        self.on_up: Callable[[], None] = _nothing
        self.on_going_away: Callable[[], None] = _nothing
        self._peer_said: GoAway | None = None
        self.on_round_trip: Callable[[float], None] = _nothing
        self.on_gone: Callable[[TunnelEnd, str], None] = _nothing
        self.name, self.opened, self.cut_off = tls.name, 0, 0
        self._end: TunnelEnd | None = None  # why it was asked to go, by whom
        self._timer = engine.poller.loop.call_later(_LOOK_EVERY, self._look)
        tls.attach(self)
        tls.resume()
        self.sender.ask_for_flush()

    # What the owner says.

    @property
    def instance(self) -> int:
        """Of the worker at the other side; 0 before it said so."""
        return 0 if self.tunnel.peer is None else self.tunnel.peer.instance

    @property
    def streams(self) -> int:
        """How many are open."""
        return len(self.tunnel.streams)

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""
        return self.tunnel.outbox.length + self._tls.unsent

    @property
    def buffered(self) -> int:
        """Bytes that wait to be sent, or for who reads too slowly on this side."""
        kept: int = sum(stream.owner.buffered for stream in self.tunnel.streams.values())
        return self.unsent + kept

    @property
    def going_away(self) -> bool:
        """Whether it will take no new streams any more."""
        return self.closed or self.tunnel.going_away or self.tunnel.worn_out

    @property
    def takes_streams(self) -> bool:
        """Whether it takes one now."""
        return not self.closed and self.tunnel.takes_streams

    @property
    def round_trip(self) -> float | None:
        """In seconds; None: not measured yet."""
        return self.tunnel.liveness.round_trip

    def open(self, client: str) -> TunnelStream:
        """A new stream. Raises TunnelError (overload)."""
        stream = self.tunnel.open(Open(client=client), time.monotonic())
        self.opened += 1
        self.sender.ask_for_flush()
        return TunnelStream(stream, self)

    def retire(self, end: TunnelEnd = TunnelEnd.RETIRED) -> None:
        """Have no new streams; it closes when the last one has ended."""
        if not self.closed and self._end is None:
            self._end = end
            self.tunnel.go_away(code_for_tunnel_end(end), end, time.monotonic())
            self.sender.ask_for_flush()

    def close(self, end: TunnelEnd, text: str) -> None:
        """End it now, and every stream, telling the peer why."""
        if self.closed:
            return
        self.tunnel.fail(code_for_tunnel_end(end), text)
        if not self._finishing:
            self.sender.send_gathered()
        self._tls.dismiss()
        self._gone(end, text)

    def abort(self, reason: EndReason) -> None:
        """`close`, for a reason that ends connections."""
        end = tunnel_end_for(reason)
        self.close(end, end)

    # What its sender says.

    def _on_crash(self) -> None:
        self.close(TunnelEnd.INTERNAL_ERROR, "internal error")

    def _on_flushed(self) -> None:
        if self.tunnel.is_done and not (self._finishing or self.closed or self.sender.blocked):
            self._finishing = True
            self.sender.close()
            self._tls.end()
            self._timer.cancel()
            self._timer = self.poller.loop.call_later(_PATIENCE, self._let_go)

    def _let_go(self) -> None:
        """The peer has heard the last word, and not closed the connection."""
        self._tls.dismiss()
        self._gone(*self._why_it_ended())

    # What the connection calls.

    def on_data(self, batch: Batch) -> None:
        """Records of frames, each frame to its stream."""
        assert isinstance(batch, PieceBatch)  # noqa: S101 - TLS knows no other
        records = batch.fragments
        if len(records) >= _RUN:
            records = self._take_run(records, batch)
        if len(records) != 1:
            self._take_in_turn(records, batch)
            return
        record = records[0]
        stream = stream_of_lone(self.tunnel.streams, record)
        if stream is None:
            self._take(records, batch)
            return
        self.tunnel.liveness.heard(time.monotonic())
        batch.fragments, batch.length = [record[HEADER_LENGTH:]], len(record) - HEADER_LENGTH
        try:
            stream.owner.on_data(batch)
        except Exception:  # the others have nothing to do with it
            self._failed(stream)

    def _take_run(self, records: list[Buffer], batch: PieceBatch) -> list[Buffer]:
        """Of a bulk transfer: what came as a run. Returns the records behind it.

        The long way judges and cuts each of them by itself, which cost a transfer 4 % of its CPU.
        """
        run = batch.frames_of(records) if isinstance(batch, RecordBatch) else None
        if run is None:
            return records
        count = run.count(records)
        shares = run.take(self.tunnel.streams, count)
        if not shares:
            return records
        self.tunnel.liveness.heard(time.monotonic())
        for stream, pieces in shares:
            batch.fragments, batch.length = pieces, len(pieces) * run.size
            try:
                stream.owner.on_data(batch)
            except Exception:  # the others have nothing to do with it
                self._failed(stream)
        return records[count:]

    def _take_in_turn(self, records: list[Buffer], batch: PieceBatch) -> None:
        """What a turn has time for: a megabyte of the smallest frames would take half a second."""
        end = time.monotonic() + _TURN
        while records and not self.closed:
            count = _taken_together(records)
            self._take(records[:count], batch)
            records = records[count:]
            if records and time.monotonic() >= end:
                self._put_off(records)
                return

    def _put_off(self, records: list[Buffer]) -> None:
        self._put_off_records = [bytes(record) for record in records]
        self.pool.count(sum(map(len, records)))
        self._tls.pause()
        self.poller.again(self)

    def on_turn(self) -> None:
        """The turn for what was put off, and for the end behind it."""
        records = self._forget_what_was_put_off()
        if self.closed:
            return
        self._take_in_turn(records, LooseBatch(self.pool, records))
        if self._put_off_records or self.closed:
            return
        if self._end_waits:
            self.on_end()
        else:
            self._tls.resume()

    def _forget_what_was_put_off(self) -> list[Buffer]:
        records, self._put_off_records = self._put_off_records, []
        self.pool.count(-sum(map(len, records)))
        return records

    def on_events(self, mask: int) -> None:
        """Never: the descriptor is the connection's."""

    def crashed(self) -> None:
        """Something in our own code failed."""
        self._on_crash()

    def _take(self, records: list[Buffer], batch: PieceBatch) -> None:
        for kind, stream, value in self._receive(records, time.monotonic()):
            try:
                if kind != DATA:
                    self._on_event(kind, stream, value)
                    continue
                batch.fragments, batch.length = value, len(value[0])
                if len(value) > 1:  # not a token, a request, for which that is all
                    batch.fill(value)
                stream.owner.on_data(batch)
            except Exception:  # the others have nothing to do with it
                if stream is None:  # it is about the tunnel
                    raise
                self._failed(stream)
        # An answer of the tunnel's own, or the last end that it waited for.
        if self.tunnel.outbox.has_something or self.tunnel.is_done:
            self.sender.ask_for_flush()

    def _failed(self, stream: Stream) -> None:
        _log.exception("a stream failed inside the proxy")
        stream.owner.crashed()

    def _on_event(self, kind: object, stream: Stream, value: object) -> None:
        if kind is Came.END:
            stream.owner.on_end()
            return
        if kind is Came.WRITABLE:
            stream.owner.go_on()
            return
        match kind, value:
            case Came.OPEN, Open() as said:
                self.opened += 1
                self._welcome(TunnelStream(stream, self), said)
            case Came.RESET, Reset() as why:
                stream.owner.on_reset(why)
            case Came.UP, _:
                self.on_up()
            case Came.ROUND_TRIP, float(seconds):
                self.on_round_trip(seconds)
            case Came.GOAWAY, GoAway() as going:
                self._on_goaway(going)
            case Came.BROKEN, TunnelError() as error:
                self.close(TunnelEnd.PROTOCOL_ERROR, error.rule)

    def _on_goaway(self, said: GoAway) -> None:
        self._peer_said = said
        self.on_going_away()

    def on_end(self) -> None:
        """The peer closed the connection, cleanly."""
        if self._put_off_records:
            self._end_waits = True
            return
        self._tls.end()
        if self._tls.unsent:  # nobody is left who would count what it holds, nor wait for its end
            self._tls.dismiss()
        self._gone(*self._why_it_ended())

    def on_abort(self, reason: EndReason) -> None:
        """The connection is gone."""
        end, text = self._why_it_ended()
        if end is TunnelEnd.PEER_LEFT:
            end = tunnel_end_for(reason)
            if self._tls.failed is not None:  # an alert, whose word is all that there is
                text = self._tls.failed.reason
        self._gone(end, text)

    def _why_it_ended(self) -> tuple[TunnelEnd, str]:
        """What was said before, by whoever wanted it to end."""
        said = self._peer_said
        if self._end is not None:
            return self._end, ""
        if said is None:
            return TunnelEnd.PEER_LEFT, "the connection ended without a word"
        code, text = said.code, f"the peer said {describe(said.code, said.text)}"
        return PEER_ENDS.get(code, TunnelEnd.PEER_RETIRED), text

    def on_writable(self) -> None:
        """The socket has drained."""
        self.sender.drained()

    def on_closed(self) -> None:
        """The connection is closed, cleanly."""
        self._gone(*self._why_it_ended())

    def _look(self) -> None:
        if not self.tunnel.liveness.look(time.monotonic()):
            self.close(TunnelEnd.TIMEOUT, "no sign of life")
            return
        self.sender.ask_for_flush()
        self._timer = self.poller.loop.call_later(_LOOK_EVERY, self._look)

    def _gone(self, end: TunnelEnd, text: str) -> None:
        if self.closed:
            return
        self.closed = True
        self._timer.cancel()
        self.sender.close()
        self._forget_what_was_put_off()
        streams = list(self.tunnel.streams.values())
        self.cut_off = len(streams)
        for stream in streams:
            try:
                stream.owner.vanish(stream_end_for(end, self.side))
            except Exception:  # the others hear of it all the same
                self._failed(stream)
        self.on_gone(end, text)


def _taken_together(records: list[Buffer]) -> int:
    """How many cost little together: of those that hold one frame each, or else one."""
    first = records[:_TOGETHER]
    alone = all(len(each) == HEADER_LENGTH + int.from_bytes(each[:3]) for each in first)
    return len(first) if alone else 1


def _nothing(*_: object) -> None:
    """Nobody wants to know."""
