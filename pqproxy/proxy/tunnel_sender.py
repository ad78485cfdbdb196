"""How what the streams of a tunnel say gets into its connection.

Everything that they say in one turn of the loop leaves at its end, in as few records as it fits,
with one `send`: no timer, and no byte waits longer than the turn. Large data leaves at once, from
where it was read. When the socket is full nothing more is gathered: whoever writes is paused, and
they go on in turns, a slot each, once it has drained.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Protocol

from pqproxy.proxy.buffers import (
    BULK,
    HEADROOM,
    PAYLOAD,
    SCRATCH_SLOTS,
    STRIDE,
    Batch,
    Buffer,
    LooseBatch,
    SlotBatch,
)
from pqproxy.proxy.descriptor import Engine
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.tls import PADDED_BELOW
from pqproxy.tunnel import DATA, Stream, Tunnel
from pqproxy.tunnel.frames import HEADER, HEADER_LENGTH
from pqproxy.tunnel.runs import write_headers

_FRAME = HEADROOM - HEADER_LENGTH  # where a frame begins in a slot

# What is read at once for a stream, so that what is sent next stands behind no more: of a bulk
# transfer while others have something to say, too.
MAX_WRITE = 16 * PAYLOAD
# A transfer that had the tunnel to itself for so many writes, into a socket that drains fast,
# reads all that fits: larger reads cost an eighth less CPU.
_ALONE_FOR = 16


class Writer(Protocol):
    """A stream that waits for its turn."""

    def go_on(self) -> None:
        """Write, as long as there is room."""


class TunnelSender:
    """The sending half of one tunnel.

    Args:
        on_flushed: called when what could leave has left.
        on_crash: called when something in our own code failed.

    Attributes:
        blocked: the socket is full.
        flush_asked: what is gathered leaves at the end of this turn.
        takes_slots: a slot with a frame's header in front of it fits one record.
    """

    __slots__ = (
        "_alone",
        "_bulk",
        "_due",
        "_engine",
        "_loose",
        "_on_crash",
        "_on_flushed",
        "_outbox",
        "_poller",
        "_pool",
        "_tls",
        "_tunnel",
        "_waiting",
        "blocked",
        "flush_asked",
        "takes_slots",
    )

    def __init__(
        self,
        tls: TlsDuplex,
        tunnel: Tunnel,
        engine: Engine,
        on_flushed: Callable[[], None],
        on_crash: Callable[[], None],
    ) -> None:
        self._tls, self._tunnel = tls, tunnel
        self._outbox, self._due = tunnel.outbox, tunnel.due
        self._poller, self._pool = engine.poller, engine.pool
        self._on_flushed, self._on_crash = on_flushed, on_crash
        self._engine = tls.connection
        self._loose = LooseBatch(engine.pool, [])  # that records are in: what is kept is copied
        self._waiting: OrderedDict[Writer, None] = OrderedDict()  # each once, the first is next
        self.blocked = self.flush_asked = False
        self._alone = 0  # writes of bulk since anything else was said
        self._bulk = 0  # the stream whose they are
        self.takes_slots = tls.max_fragment >= PAYLOAD + HEADER_LENGTH

    # What streams say.

    @property
    def room(self) -> int:
        """How many bytes should be read at once for a stream: a slot while others wait."""
        if self._outbox.full or self._waiting:
            return PAYLOAD
        return BULK if self._tls.swift and self._alone >= _ALONE_FOR else MAX_WRITE

    def ask_for_flush(self) -> None:
        """Send what is in the outbox at the end of this turn."""
        if not self.flush_asked:
            self.flush_asked = True
            self._poller.flush(self)

    def wait(self, stream: Writer) -> None:
        """Let the stream go on when its turn has come."""
        self._waiting[stream] = None

    def forget(self, stream: Writer) -> None:
        """It waits no more."""
        self._waiting.pop(stream, None)

    def send_slots(self, stream: Stream, batch: SlotBatch) -> int:
        """Send what the window allows, now, and before it what was gathered.

        It is encrypted where it was read: the copy that this saves was a fifth of the CPU of a bulk
        transfer. Returns how many bytes were sent.
        """
        # Copied, where they lie in the scratch buffer: that is not kept with the batch, when the
        # socket does not take all of it.
        records: list[Buffer] = [bytes(record) for record in self._gathered_records()]
        alone = not records and stream.id == self._bulk
        self._alone = self._alone + 1 if alone else 0
        self._bulk = stream.id
        run: list[Buffer] = []
        allowed = stream.send_window
        full = min(batch.full, allowed // PAYLOAD)
        if full:
            write_headers(batch.memory, range(_FRAME, full * STRIDE, STRIDE), PAYLOAD, stream)
            self._engine.protect_run(batch.framed_run, full, run)
        sent = full * PAYLOAD
        rest = batch.length - sent
        if 0 < rest < PAYLOAD and sent + rest <= allowed:
            start = full * STRIDE + _FRAME
            HEADER.pack_into(batch.memory, start, rest << 8 | DATA, stream.id)
            self._engine.protect(batch.buffer, start, HEADER_LENGTH + rest, run)
            sent += rest
        stream.send_window -= sent
        records += _joined(run, batch.buffer, -(-sent // PAYLOAD))
        if records:
            self._send(records, batch)
        return sent

    # What the link says.

    def send_gathered(self) -> None:
        """Send what is in the outbox now."""
        records = self._gathered_records()
        if records:
            self._alone = 0
            self._send(records, self._loose)

    def drained(self) -> None:
        """The socket takes bytes again."""
        self.blocked = False
        self._outbox.block(blocked=False)
        self.ask_for_flush()

    def close(self) -> None:
        """Nothing more will be sent."""
        self.blocked = True
        self._waiting.clear()

    # What the poller calls.

    def on_flush(self) -> None:
        """The turn is over."""
        self.flush_asked = False
        if not self.blocked:
            small = None if self._due else self._outbox.take_small(PADDED_BELOW)
            if small is None:
                if self._due or self._outbox.has_something:
                    self.send_gathered()
            else:  # a token, a request of the only client
                self._alone = 0
                self._send([self._engine.protect_small(small)], self._loose)
            if self._waiting and not self.blocked:
                self._let_go_on()
        self._on_flushed()

    def crashed(self) -> None:
        """Something in our own code failed."""
        self._on_crash()

    def on_events(self, mask: int) -> None:
        """Never: the descriptor is the connection's."""

    def on_turn(self) -> None:
        """Never asked for."""

    def _let_go_on(self) -> None:
        """Let those who wait write in the order in which they came."""
        outbox = self._outbox
        for _ in range(min(len(self._waiting), SCRATCH_SLOTS)):
            if outbox.full:
                break
            self._waiting.popitem(last=False)[0].go_on()
        if self._waiting:
            self.ask_for_flush()

    def _send(self, records: list[Buffer], batch: Batch) -> None:
        if not self._tls.send_records(records, batch):
            self.blocked = True
            self._outbox.block(blocked=True)

    def _gathered_records(self) -> list[Buffer]:
        """What waits in the outbox, as records; large ones lie in the worker's scratch buffer."""
        records: list[Buffer] = []
        gathered = self._tunnel.take_records(SCRATCH_SLOTS, time.monotonic())
        if not gathered:
            return records
        for slot, pieces in enumerate(gathered):
            plaintext = b"".join(pieces)
            if len(plaintext) < PADDED_BELOW:
                records.append(self._engine.protect_small(plaintext))
            else:
                buffer, start = self._pool.scratch, slot * STRIDE + _FRAME
                buffer[start : start + len(plaintext)] = plaintext
                self._engine.protect(buffer, start, len(plaintext), records)
        if len(gathered) == SCRATCH_SLOTS and not self._outbox.is_empty():
            self.ask_for_flush()
        return records


def _joined(run: list[Buffer], buffer: memoryview, count: int) -> list[Buffer]:
    """The `count` records of a buffer of slots, as one view: with frames they leave no gaps.

    A system call for sixty pieces costs more than for one, and so does what is left of them.
    """
    if len(run) != count or count < 2:  # a KeyUpdate lies between them, or there is nothing to join
        return run
    return [buffer[: (count - 1) * STRIDE + len(run[-1])]]
