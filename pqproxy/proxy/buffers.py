"""The worker's few read buffers, and the batches that are read into them.

All connections of a worker read into the same two buffers, one shaped in slots for plaintext and
one flat for TLS: a read is handed on and sent within the same call, so the next one may overwrite
it. Only what the kernel did not take is kept longer, and then the buffer itself is lent (no copy)
and the next reader takes another from a small pool. The pool is capped: past the cap the remainder
is copied out, so that a few slow readers never hold every buffer. Copies have a budget, past it a
read brings one slot only: a slow reader then costs its connection 16 KB, and nobody else anything.

Nothing here knows sockets, or TLS beyond the room that a record needs around its payload and where
records lie in a buffer.
"""

from pqproxy.tls import Landing, Run
from pqproxy.tunnel import FrameRun

# Room before the payload of a slot: the header of a tunnel's frame (8), in front of it the record
# header (5). Behind it: the content type (1) and the tag (16). Padding of small records
# uses the unfilled rest of the slot.
HEADROOM = 13
RECORD_HEADER, FRAME_HEADER = 5, 8
TAILROOM = 17
# With its frame header this fills a record of 2^14 bytes exactly.
PAYLOAD = 16_384 - 8
STRIDE = HEADROOM + PAYLOAD + TAILROOM
# Two megabytes a read: one costs a tenth more CPU for each byte of a bulk transfer, a quarter of
# one a third more than one.
SLOTS = 128
BULK = SLOTS * PAYLOAD
SCRATCH_SLOTS = 16

# Free space in front of what TLS reads, for the incomplete record of the read before.
RECORD_ROOM = 16_896
RECORD_READ = SLOTS * STRIDE  # a read may bring what the other side sent at once
FIRST_READ = 65_536  # of one that does not follow a read of bulk

# From here on lending the whole buffer is cheaper than copying the rest of it.
WORTH_LENDING = 32_768
# sendmsg takes at most IOV_MAX (1024) buffers; many small ones are cheaper joined than listed.
_MAX_VIEWS = 256

Buffer = memoryview | bytes


class Kept:
    """Bytes that wait for a socket: views into a lent buffer, or a copy."""

    __slots__ = ("_copied", "_lender", "_pool", "_tail", "views")

    def __init__(
        self, pool: "BufferPool", views: list[Buffer], lender: "Batch | None", copied: int
    ) -> None:
        self._pool, self._lender, self._copied = pool, lender, copied
        self.views: list[Buffer | bytearray] = [*views]
        self._tail: bytearray | None = None  # the last of the views, if nothing of it was sent

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return sum(map(len, self.views))

    def append(self, data: Buffer) -> None:
        """Queue a copy of bytes behind the rest; it counts against the budget.

        Small pieces share one view: a peer that sends byte by byte must not fill our memory with
        what surrounds each, nor the list that `sendmsg` takes.
        """
        if self._tail is None:
            self._tail = bytearray()
            self.views.append(self._tail)
        self._tail += data
        self._copied += len(data)
        self._pool.count(len(data))

    def advance(self, sent: int) -> bool:
        """Drop what the socket took. True: nothing is left, and the buffer has gone back."""
        views = self.views
        taken = 0
        for view in views:
            if sent < len(view):
                break
            sent -= len(view)
            taken += 1
        del views[:taken]
        if not views:
            self.release()
            return True
        if len(views) == 1:  # it may be the tail, which is not to change under a view of it
            self._tail = None
        if sent:
            views[0] = memoryview(views[0])[sent:]
        return False

    def narrow(self, unsent: list[Buffer]) -> None:
        """Only these are left, views into what is kept."""
        self.views, self._tail = [*unsent], None

    def release(self) -> None:
        """Give everything back; also for bytes that will never be sent."""
        self.views = []
        if self._lender is not None:
            self._pool.give_back(self._lender)
            self._lender = None
        if self._copied:
            self._pool.count(-self._copied)
            self._copied = 0


class Batch:
    """What one read brought. It is lent for the call; `keep` holds on to what is unsent."""

    __slots__ = ("length", "pool")

    def __init__(self, pool: "BufferPool") -> None:
        self.pool = pool
        self.length = 0

    def views(self) -> list[Buffer]:
        """The payload, in order."""
        raise NotImplementedError  # each shape of batch has its own

    def keep(self, unsent: list[Buffer]) -> Kept:
        """Hold `unsent`, views into this batch and perhaps others, beyond the call."""
        return self.pool.keep(self, unsent)


class SlotBatch(Batch):
    """A buffer of record-shaped slots: what lies in it can be encrypted where it landed."""

    __slots__ = ("_framed_run", "_run", "buffer", "first", "memory", "payloads")

    def __init__(self, pool: "BufferPool") -> None:
        super().__init__(pool)
        self.memory = bytearray(SLOTS * STRIDE)
        self.buffer = memoryview(self.memory)
        self.payloads = [
            self.buffer[start : start + PAYLOAD]
            for start in range(HEADROOM, SLOTS * STRIDE, STRIDE)
        ]
        self.first = self.payloads[0]
        self._run: Run | None = None
        self._framed_run: Run | None = None

    @property
    def run(self) -> Run:
        """The slots as records, each of one full payload. Made when bulk comes first."""
        if self._run is None:
            size = RECORD_HEADER + PAYLOAD + TAILROOM
            self._run = Run(self.memory, HEADROOM - RECORD_HEADER, size, STRIDE)
        return self._run

    @property
    def framed_run(self) -> Run:
        """The same with a frame's header in front of each."""
        if self._framed_run is None:
            size = RECORD_HEADER + FRAME_HEADER + PAYLOAD + TAILROOM
            start = HEADROOM - FRAME_HEADER - RECORD_HEADER
            self._framed_run = Run(self.memory, start, size, STRIDE)
        return self._framed_run

    def views(self) -> list[Buffer]:
        """The filled payloads."""
        full, rest = divmod(self.length, PAYLOAD)
        views: list[Buffer] = [*self.payloads[:full]]
        if rest:
            views.append(self.payloads[full][:rest])
        return views

    @property
    def full(self) -> int:
        """How many payloads are full; the next one may be filled in part."""
        return self.length // PAYLOAD

    @property
    def rest(self) -> tuple[int, int]:
        """(start in `buffer`, length) of what is behind the full ones."""
        full, rest = divmod(self.length, PAYLOAD)
        return HEADROOM + full * STRIDE, rest

    def spans(self) -> list[tuple[int, int]]:
        """(start in `buffer`, length) of each filled payload."""
        full, rest = divmod(self.length, PAYLOAD)
        spans = [(HEADROOM + slot * STRIDE, PAYLOAD) for slot in range(full)]
        if rest:
            spans.append((HEADROOM + full * STRIDE, rest))
        return spans


class PieceBatch(Batch):
    """Payload that lies in pieces."""

    __slots__ = ("fragments",)

    def __init__(self, pool: "BufferPool") -> None:
        super().__init__(pool)
        self.fragments: list[Buffer] = []

    def fill(self, fragments: list[Buffer]) -> None:
        """Say which pieces are payload."""
        self.fragments = fragments
        self.length = len(fragments[0]) if len(fragments) == 1 else sum(map(len, fragments))

    def views(self) -> list[Buffer]:
        """The pieces; many small ones are joined into one."""
        if len(self.fragments) > _MAX_VIEWS:
            return [b"".join(self.fragments)]
        return self.fragments


class RecordBatch(PieceBatch):
    """A flat buffer in which TLS records were decrypted: a piece is what one of them held."""

    __slots__ = ("_frames", "buffer", "landing", "room")

    def __init__(self, pool: "BufferPool") -> None:
        super().__init__(pool)
        self.landing = Landing(bytearray(RECORD_ROOM + RECORD_READ), RECORD_ROOM)
        self.buffer = self.landing.view
        self.room = self.buffer[RECORD_ROOM : RECORD_ROOM + FIRST_READ]
        self._frames: FrameRun | None = None

    def frames_of(self, records: list[Buffer]) -> FrameRun | None:
        """Where the frames of records lie that came as a run: made once, as the run is."""
        frames = self._frames
        if frames is None or frames.records[0] is not records[0]:
            places = self.landing.fragments
            if not places or places[0] is not records[0]:
                return None
            self._frames = frames = FrameRun(places)
        return frames


class LooseBatch(PieceBatch):
    """Bytes that live in nobody's read buffer; keeping them copies."""

    __slots__ = ()

    def __init__(self, pool: "BufferPool", views: list[Buffer]) -> None:
        super().__init__(pool)
        self.fill(views)


class KeptBatch(PieceBatch):
    """What was kept once, on its way again: what is kept of it a second time moves no byte."""

    __slots__ = ("_kept",)

    def __init__(self, pool: "BufferPool", kept: Kept) -> None:
        super().__init__(pool)
        self._kept: Kept | None = kept
        self.fill([memoryview(view) for view in kept.views])

    def keep(self, unsent: list[Buffer]) -> Kept:
        """The same as before, of which `unsent` is left."""
        kept, self._kept = self._kept, None
        if kept is None:  # somebody has it: who comes second gets a copy
            return super().keep(unsent)
        kept.narrow(unsent)
        return kept

    def done(self) -> None:
        """The call is over: give back what nobody kept."""
        if self._kept is not None:
            self._kept.release()


class BufferPool:
    """The buffers of one worker. `slots` and `records` are the ones to read into now."""

    __slots__ = (
        "_budget",
        "_cap",
        "_free_records",
        "_free_slots",
        "_lent",
        "_scratch",
        "copied",
        "pressed",
        "records",
        "slots",
    )

    def __init__(self, cap: int = 8, budget: int = 32 << 20) -> None:
        self._cap, self._budget = cap, budget
        self._free_slots: list[SlotBatch] = []
        self._free_records: list[RecordBatch] = []
        self._lent = 0
        self.copied = 0
        # An attribute, not a property: every read looks at it.
        self.pressed = False  # the budget is used up: read one slot at a time
        self.slots = SlotBatch(self)
        self.records = RecordBatch(self)
        self._scratch: memoryview | None = None

    @property
    def scratch(self) -> memoryview:
        """`SCRATCH_SLOTS` slots for what is put together here, free again after each call."""
        if self._scratch is None:  # only tunnels need it
            self._scratch = memoryview(bytearray(SCRATCH_SLOTS * STRIDE))
        return self._scratch

    def keep(self, batch: Batch, unsent: list[Buffer]) -> Kept:
        """Lend `batch` out as it is, or copy `unsent` where that is cheaper or the cap is met."""
        size = sum(map(len, unsent))
        if size >= WORTH_LENDING and self._lent < self._cap:
            if batch is self.slots:
                self._lent += 1
                self.slots = self._free_slots.pop() if self._free_slots else SlotBatch(self)
                return Kept(self, unsent, batch, 0)
            if batch is self.records:
                self._lent += 1
                self.records = self._free_records.pop() if self._free_records else RecordBatch(self)
                return Kept(self, unsent, batch, 0)
        self.count(size)
        return Kept(self, [b"".join(unsent)], None, size)

    def give_back(self, batch: Batch) -> None:
        """Take a lent buffer back."""
        self._lent -= 1
        if isinstance(batch, SlotBatch):
            self._free_slots.append(batch)
        elif isinstance(batch, RecordBatch):
            self._free_records.append(batch)

    def count(self, size: int) -> None:
        """Put copied bytes on the budget or, below zero, take them off."""
        self.copied += size
        self.pressed = self.copied >= self._budget
