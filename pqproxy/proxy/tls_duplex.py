"""A TLS connection as a Duplex: drives the engine, which knows no socket.

During the handshake it answers what the engine asks for and sends what it says. Afterwards it reads
into the worker's record buffer, lets the engine decrypt in place and hands on a batch a read; what
it is given to send it encrypts where it lies. Application data that comes before somebody has
attached and resumed stays with the engine, as ciphertext.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from pqproxy.proxy.buffers import (
    FIRST_READ,
    PAYLOAD,
    RECORD_ROOM,
    Batch,
    Buffer,
    LooseBatch,
    RecordBatch,
    SlotBatch,
)
from pqproxy.proxy.descriptor import Descriptor, Engine, Side
from pqproxy.proxy.peer_alerts import HandshakeFailed, alert_for_end, end_for_alert
from pqproxy.proxy.signer import Signature, attempt
from pqproxy.proxy.socket_options import Socket
from pqproxy.proxy.specialized import own_copies
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tls import (
    PADDED_BELOW,
    ApplicationData,
    ChainReceived,
    ClientConnection,
    Event,
    Failed,
    HandshakeCompleted,
    Negotiated,
    Offer,
    PeerClosed,
    ServerConnection,
    SessionTicket,
    SignatureRequested,
    TicketReceived,
    Verdict,
)

Judge = Callable[[ChainReceived], Verdict]

# What a read brings while many bytes wait for slow readers. Also after one of crumbs, records of
# less than so many bytes on the average: two megabytes of them would take a fifth of a second.
_SHORT_READ = 16_384
_CRUMB = 512
# A hello cut into records of one byte costs about 3 us a record: a read stays within a turn's time.
_SHAKING_READ = 4_096
# What is shorter may be one small record.
_FEW = 2_053
# After a read of so much the next may bring all that fits, a run of records at its place.
_BULK = FIRST_READ

_log = logging.getLogger(__name__)


def _judge_nobody(_chain: ChainReceived) -> Verdict:
    """In the judge's place after the handshake: he knows the visit, and the visit knows us."""
    raise AssertionError("a chain came after the handshake")


def _let_go(_ticket: SessionTicket) -> None:
    """Tickets are for those who dial again."""


@own_copies("on_events", "_send_one")
class TlsDuplex(Descriptor):
    """One TLS connection over a socket, either role.

    `handshake` is done with what was negotiated, or fails with HandshakeFailed. `on_ticket` may be
    set to take what a server gives.
    """

    __slots__ = (
        "_answer",
        "_asked",
        "_conn",
        "_crumbs",
        "_holding",
        "_judge",
        "_shaking",
        "_signer",
        "_slots_fit",
        "_unusual",
        "failed",
        "handshake",
        "on_ticket",
    )

    def __init__(
        self,
        sock: Socket,
        engine: Engine,
        side: Side,
        connection: ServerConnection | ClientConnection,
        judge: Judge,
    ) -> None:
        super().__init__(sock, engine, side)
        self._conn, self._judge, self._signer = connection, judge, engine.signer
        self._shaking = True
        self._unusual = True  # we shake hands, or the last read brought many records
        self._crumbs = False  # the last read brought tiny records: the next one brings few
        self._slots_fit = False  # a slot's payload may go out as one record
        self._asked = False  # a signature is being made: the engine waits
        self._answer: tuple[int, Signature] | None = None
        self._holding = False  # the engine holds records that nobody wanted yet
        self.failed: Failed | None = None
        self.on_ticket: Callable[[SessionTicket], None] = _let_go
        self.handshake: asyncio.Future[Negotiated] = engine.poller.loop.create_future()
        self._send_output()

    @property
    def wants_small_records(self) -> bool:
        """Whether the peer limits records to less than a slot (RFC 8449)."""
        return not self._slots_fit

    @property
    def offer(self) -> Offer | None:
        """What the client offered, where we are the server and it got that far."""
        return self._conn.offer

    def write(self, batch: Batch) -> bool:
        """Encrypt and send. False: accepted, but send no more until `on_writable`."""
        if self.closed:
            return False
        if type(batch) is SlotBatch and batch.length < PADDED_BELOW and self._slots_fit:
            protect_small = self._conn.protect_small  # a request, a token
            if self._send_one(protect_small(batch.first[: batch.length]), batch):
                return True
            self._owes_writable = True
            return False
        return self.send_records(self._protected(batch), batch)

    def _protected(self, batch: Batch) -> list[Buffer]:
        records: list[Buffer] = []
        if type(batch) is SlotBatch and self._slots_fit:
            full = batch.full
            if full:
                self._conn.protect_run(batch.run, full, records)
            start, length = batch.rest
            if length:
                self._conn.protect(batch.buffer, start, length, records)
        else:
            for view in batch.views():
                self._conn.send_data(bytes(view))
            records.append(self._conn.take_output())
        return records

    @property
    def name(self) -> str:
        """The same on both sides, as soon as there was a hello: for logs."""
        return self._conn.client_random[:6].hex()

    @property
    def max_fragment(self) -> int:
        """How many bytes one record may carry to the peer."""
        return self._conn.max_fragment

    @property
    def connection(self) -> ServerConnection | ClientConnection:
        """The engine: for who protects records himself, and sends them with `send_records`."""
        return self._conn

    def send_records(self, records: list[Buffer], batch: Batch) -> bool:
        """Send what `protect` made, as `write` does; `batch` is what the records lie in."""
        if len(records) == 1:
            if self._send_one(records[0], batch):
                return True
        elif self._send(records, batch):
            return True
        self._owes_writable = True
        return False

    def dismiss(self) -> None:
        """End it with close_notify, whatever the peer still sends; the sink hears nothing more.

        What was said before stands a chance to be read, unlike before a reset.
        """
        if not self.closed:
            self._say_end()
            self._drop(reset=True, lingers=True)

    def resume(self) -> None:
        """Read on, from the next turn: first what the engine holds."""
        self._paused = False
        if self._readable or self._holding:
            self._ask_for_turn()

    def on_turn(self) -> None:
        """A turn that was asked for: the handshake, what the engine holds, or a read."""
        if self.closed or not (self._shaking or self._holding):
            super().on_turn()
            return
        self._queued = False
        if self._shaking:
            self._go_on_shaking()
        elif not self._paused:
            self._holding = False
            self._walk(self._conn.next_event(), [], None)
            if self._readable and not self._paused and not self.closed:
                self._ask_for_turn()

    # Reading.

    def _read(self) -> None:
        batch = self._pool.records
        start, room = RECORD_ROOM, batch.room
        if self._unusual or self._pool.pressed:
            start, room = self._place(batch)
        try:
            received = self._sock.recv_into(room)
        except OSError as error:
            self._nothing_read(error)
            return
        flowing = self._conn.incoming.flowing
        if received < _FEW and flowing is not None:
            fragment = flowing.unprotect_small(batch.buffer, start, start + received)
            if fragment is not None:  # a request, a token: for a third of what others take
                self._readable = self._hangup
                batch.fragments, batch.length = [fragment], len(fragment)
                self._sink.on_data(batch)
                if self._hangup and not self.closed and not self._paused:
                    self._ask_for_turn()
                return
        self._take(batch, start, received, filled=received == len(room))

    def _place(self, batch: RecordBatch) -> tuple[int, memoryview]:
        """Where in the buffer to read to, when it is not to be filled from its usual place."""
        if self._shaking:
            return RECORD_ROOM, batch.room[:_SHAKING_READ]
        # What is kept of a record goes in front: so the next one begins at its place.
        held = self._conn.held
        start = RECORD_ROOM + held
        short = self._crumbs or self._pool.pressed
        most = _SHORT_READ if short else batch.landing.length - held
        return start, batch.buffer[start : start + most]

    def _take(self, batch: RecordBatch, start: int, received: int, *, filled: bool) -> None:
        """Let the engine see what was read, or that there is no more, and hand on what it says."""
        data: list[Buffer] = []
        if received:
            self._readable = filled or self._hangup
            event = self._conn.receive(batch.landing, start, start + received, data)
            self._crumbs = len(data) * _CRUMB > received
            self._unusual = self._shaking or self._crumbs or received >= _BULK
        else:
            self._readable = False
            self._conn.receive_eof()
            event = self._conn.next_event()
        if event is None and data:
            batch.fill(data)
            self._sink.on_data(batch)
        else:
            self._walk(event, data, batch)
        if self._readable and not self.closed and (self._shaking or not self._paused):
            self._ask_for_turn()

    def _walk(self, event: Event | None, data: list[Buffer], batch: RecordBatch | None) -> None:
        """Take the engine's events from `event` on; all data goes on as one batch."""
        last: Event | None = None
        next_event = self._conn.next_event
        while event is not None:
            if isinstance(event, ApplicationData):
                data.append(event.fragment)
            elif isinstance(event, HandshakeCompleted):
                # What came along with the client's last flight waits until somebody wants it.
                self._conn.hold()
                self._holding, self._shaking, self._unusual = True, False, False
                self._judge = _judge_nobody
                self._slots_fit = self._conn.max_fragment >= PAYLOAD
                self._send_output()
                if not self.handshake.done():
                    self.handshake.set_result(event.negotiated)
                return
            elif isinstance(event, (SignatureRequested, ChainReceived)):
                self._answer_to(event)
            elif isinstance(event, TicketReceived):
                self.on_ticket(event.ticket)
            else:
                last = event
            event = next_event()
        if data:
            self._hand_on(data, batch)
        if self.closed:
            return
        if last is not None:
            self._send_output()
            self._end_with(last)
        elif self._shaking:
            self._send_output()

    def _hand_on(self, data: list[Buffer], batch: RecordBatch | None) -> None:
        if batch is None:  # held by the engine until now, in a buffer of its own
            self._sink.on_data(LooseBatch(self._pool, data))
        else:
            batch.fill(data)
            self._sink.on_data(batch)

    def _end_with(self, event: Event) -> None:
        """The last event of a connection or of the peer's direction."""
        if isinstance(event, PeerClosed):
            self._input_ended()
        elif isinstance(event, Failed):
            self.failed = event
            if event.cause is not None:
                _log.error("the TLS engine failed", exc_info=event.cause)
            reason = EndReason.PROTOCOL_ERROR
            if event.by_peer:
                reason = end_for_alert(event.alert, self.side)
            self._vanish(reason)
        else:
            self._vanish(self.side.left)  # cut off without close_notify: never a clean end

    # The handshake.

    def _readable_while_paused(self) -> None:
        if self._shaking:
            self._ask_for_turn()

    def _ask_for_turn(self) -> None:
        if not self._queued:
            self._queued = True
            ask = self._poller.handshake if self._shaking else self._poller.again
            ask(self)

    def _go_on_shaking(self) -> None:
        if self._broken:
            self._vanish(self.side.left)
        elif self._answer is not None:
            (token, signature), self._answer, self._asked = self._answer, None, False
            self._conn.provide(token, signature)
            self._walk(self._conn.next_event(), [], None)
            if self._readable and not self.closed and self._shaking:
                self._ask_for_turn()
        elif self._readable and not self._asked:
            self._read()

    def _answer_to(self, event: SignatureRequested | ChainReceived) -> None:
        if isinstance(event, ChainReceived):
            self._conn.provide(event.token, self._judge(event))
        elif event.algorithm.slow:
            self._sign_on_a_thread(event)
        else:
            self._conn.provide(event.token, attempt(event.sign))

    def _sign_on_a_thread(self, event: SignatureRequested) -> None:
        self._asked = True

        def work() -> bytes:
            if self.closed:  # or hellos of peers that leave at once would pile up signatures
                raise HandshakeFailed(None)
            return event.sign()

        self._signer.sign(work, lambda signature: self._signed(event.token, signature))

    def _signed(self, token: int, signature: Signature) -> None:
        self._answer = (token, signature)
        self._ask_for_turn()

    # Ending.

    def _vanish(self, reason: EndReason) -> None:
        super()._vanish(reason)
        if self._shaking and not self.handshake.done():
            self.handshake.set_exception(HandshakeFailed(self.failed))

    def _drop(self, *, reset: bool, lingers: bool = False) -> None:
        self._judge = _judge_nobody
        super()._drop(reset=reset, lingers=lingers)

    def _break_off(self) -> None:
        failed = self.failed
        # After our close_notify there is no alert to wait for: a reset is the only word left.
        told = failed is not None and not failed.by_peer and not self._out_ended
        # In the handshake never with a reset: it could overtake the alert.
        self._drop(reset=failed is None or not self._shaking, lingers=told)

    def _say_end(self) -> None:
        self._conn.send_close_notify()
        self._send_output()

    def _all_sent(self) -> None:
        self._close_if_done()  # FIN follows when the other direction is done too

    def _last_words(self, reason: EndReason) -> None:
        self._conn.abort(alert_for_end(reason, self.side))
        if (alert := self._conn.take_output()) and self._unsent is None:
            with contextlib.suppress(OSError):  # if the socket takes it at once
                self._sock.send(alert)

    def _send_output(self) -> None:
        if output := self._conn.take_output():
            self._send_bytes(output)
