"""One side of a tunnel: records of frames in, events out; what is to be sent is queued and taken.

It knows no socket, no event loop and no clock: the time comes with each call, in seconds. Nobody's
bytes are kept here but those that wait for the next flush.

    receive(records) -> events          open, end, reset, go_away, outbox -> take_records()
"""

from __future__ import annotations

import struct

from pqproxy.tunnel.errors import ErrorCode, TunnelError
from pqproxy.tunnel.events import DATA, Came, Event
from pqproxy.tunnel.frames import (
    EVERY_STREAM,
    HEADER,
    HEADER_LENGTH,
    MAX_WINDOW,
    FrameType,
    GoAway,
    Open,
    Reset,
    Role,
    Settings,
    read_ping,
    read_window,
)
from pqproxy.tunnel.liveness import Liveness
from pqproxy.tunnel.outbox import Outbox
from pqproxy.tunnel.stream import Stream
from pqproxy.tunnel.windows import Budget, ReceiveWindow

# Below this a record is mostly headers.
MIN_RECORD = 1024
LAST_ID = 2**31 - 1
# Streams that a peer may open and reset in a row, none of which got an answer.
MAX_RESETS_UNANSWERED = 4096
# Words about the end of a stream that wait to be sent while it opens more: who does not read makes
# us keep each of them.
MAX_ENDINGS_UNREAD = 4096
_SMALL = 4  # times 256 bytes: of a record whose first frame is shorter the pieces are many

_read_header = HEADER.unpack_from


class Tunnel:
    """One side of a tunnel.

    Attributes:
        streams: the open ones, by id.
        due: streams whose grant leaves with the next flush.
        peer: the other side's SETTINGS; None: they have not come, and nothing may be opened.
        going_away: the peer wants no more streams, or we open none.
        outbox: what leaves with the next flush.
        liveness: whether the peer is there, and how far it is.
    """

    __slots__ = (
        "_budget",
        "_last_opened",
        "_last_served",
        "_leaving",
        "_role",
        "_settings",
        "_unanswered_resets",
        "due",
        "going_away",
        "liveness",
        "outbox",
        "peer",
        "streams",
    )

    def __init__(
        self, role: Role, settings: Settings, budget: Budget, max_record: int, now: float
    ) -> None:
        if max_record < MIN_RECORD:
            raise TunnelError(f"records of {max_record} bytes are too small for a tunnel")
        self._role, self._settings, self._budget = role, settings, budget
        self.streams: dict[int, Stream] = {}
        self.peer: Settings | None = None
        self.going_away = False
        self.outbox = Outbox(max_record)
        self.liveness = Liveness(self.outbox, now)
        self.due: dict[Stream, None] = {}
        self._last_opened = -1 if role is Role.EGRESS else 0  # by whichever side opens
        self._leaving: GoAway | None = None  # said once; the PONG to come makes it final
        self._last_served = EVERY_STREAM  # what is opened beyond it is refused
        self._unanswered_resets = 0
        self.outbox.put(FrameType.SETTINGS, 0, settings.encode())

    # What the owner says.

    @property
    def takes_streams(self) -> bool:
        """Whether a stream can be opened now."""
        return (
            self.peer is not None
            and not self.going_away
            and len(self.streams) < self.peer.max_streams
            and self._last_opened < LAST_ID
        )

    @property
    def worn_out(self) -> bool:
        """Whether the numbers for streams are used up: only a new tunnel helps."""
        return self._last_opened >= LAST_ID

    def open(self, said: Open, now: float) -> Stream:
        """Open a stream. Raises TunnelError (overload): the budget of the windows is used up."""
        if not self.takes_streams or self.peer is None:
            raise RuntimeError("this tunnel takes no streams")
        if not self._budget.take(self._settings.initial_window):
            raise TunnelError("the budget of all windows is used up", ErrorCode.OVERLOAD)
        self._last_opened += 2
        stream = self._new_stream(self._last_opened, self.peer.initial_window, now)
        self.outbox.put(FrameType.OPEN, stream.id, said.encode())
        return stream

    def end(self, stream: Stream) -> None:
        """Half-close, after all data."""
        if not (stream.gone or stream.ended_by_us):
            stream.ended_by_us = True
            self.outbox.put(FrameType.END, stream.id)
            if stream.ended_by_peer:
                self._remove(stream)

    def reset(self, stream: Stream, why: Reset) -> None:
        """End both directions; what of it is still on its way here is passed over."""
        if not stream.gone:
            self._remove(stream)
            self.outbox.put(FrameType.RESET, stream.id, why.encode())

    def consumed(self, stream: Stream, length: int) -> bool:
        """Say that bytes of a stream have left for good. True: a grant waits for the next flush."""
        receive = stream.receive
        receive.consumed += length
        if receive.consumed < receive.due or stream.ended_by_peer or stream.gone:
            return False
        self.due[stream] = None
        return True

    def go_away(self, code: ErrorCode, text: str, now: float) -> None:
        """Ask for no more streams. What is open, or was opened before the peer knows, is served."""
        if self._leaving is not None:
            return
        self._leaving = GoAway(EVERY_STREAM, code, text)
        if self._role is Role.EGRESS:  # who opens them just stops
            self.going_away = True
        if self.peer is not None:
            self._say_goaway(now)

    def _say_goaway(self, now: float) -> None:
        """The first of two; its PING comes back when every OPEN has that was sent before it."""
        assert self._leaving is not None  # noqa: S101 - the callers look
        if self._role is Role.EGRESS:
            self._say_last(0)
        else:
            self._say_last(EVERY_STREAM)
            self.liveness.mark(now)

    def _say_last(self, last: int) -> None:
        assert self._leaving is not None  # noqa: S101 - the callers look
        said = GoAway(last, self._leaving.code, self._leaving.text)
        self.outbox.put(FrameType.GOAWAY, 0, said.encode())

    def fail(self, code: ErrorCode, text: str) -> None:
        """The last word: it ends here, with every stream."""
        last = 0 if self._role is Role.EGRESS else self._last_opened
        self.outbox.put(FrameType.GOAWAY, 0, GoAway(last, code, text).encode())

    @property
    def is_done(self) -> bool:
        """Whether one side wants no more streams, the other knows, the last one has ended, and all
        that was said of it has been taken."""
        if self.streams or not (self.going_away or self._leaving):
            return False
        settled = self._role is Role.EGRESS or self._last_served != EVERY_STREAM
        return (self.going_away or settled) and self.outbox.is_empty()

    def take_records(self, at_most: int, now: float) -> list[list[bytes | bytearray]]:
        """Take what is to be sent, up to so many records, each as the pieces of its plaintext.

        Until the peer's SETTINGS have come, that is ours alone: whoever opens waits for them.
        """
        for stream in self.due:
            if not stream.gone:
                grant = stream.receive.grant(self.liveness.shortest, now)
                self.outbox.put_window(stream, grant)
        self.due.clear()
        return self.outbox.take(at_most)

    # What the peer says.

    def receive(self, records: list[memoryview | bytes], now: float) -> list[Event]:
        """Take the frames of records that came together.

        Data comes as pieces of them, in order; what comes of one stream in a row is one event. A
        broken rule is the last event, and no exception: what came before it has changed the streams
        already, and their owners must hear of that.
        """
        self.liveness.heard(now)
        events: list[Event] = []
        try:
            self._take_frames(records, now, events)
        except TunnelError as error:
            events.append((Came.BROKEN, None, error))
        return events

    def _take_frames(
        self, records: list[memoryview | bytes], now: float, events: list[Event]
    ) -> None:
        """Every small frame of every stream goes through this loop: hence the locals."""
        stream_of = self.streams.get
        current, pieces = -1, []  # the stream of the frame before, and its data
        for record in records:
            position, end = 0, len(record)
            if end > 1 and not record[0] and record[1] < _SMALL:
                record = bytes(record)  # whose pieces cost half of what views of them do
            while position < end:
                try:
                    word, number = _read_header(record, position)
                except struct.error:
                    raise TunnelError("a frame's header spans records") from None
                start = position + HEADER_LENGTH
                position = start + (word >> 8)
                if position > end:
                    raise TunnelError("a frame spans records")
                if word & 0xFF != DATA:
                    current = -1
                    event = self._on_frame(word & 0xFF, number, bytes(record[start:position]), now)
                    if event is not None:
                        events.append(event)
                    continue
                stream = stream_of(number)
                if stream is None:
                    self._stray(number, "DATA")
                    continue
                window = stream.receive
                left = window.left - position + start
                if left < 0 or position == start:
                    raise _wrong_data(stream, left)
                window.left = left
                if number == current:
                    pieces.append(record[start:position])
                else:
                    current, pieces = number, [record[start:position]]
                    events.append((DATA, stream, pieces))

    def _on_frame(self, kind: int, number: int, payload: bytes, now: float) -> Event | None:
        if self.peer is None and kind != FrameType.SETTINGS:
            raise TunnelError("the first frame is not SETTINGS")
        match kind:
            case FrameType.OPEN:
                return self._on_open(number, payload, now)
            case FrameType.END | FrameType.RESET | FrameType.WINDOW:
                return self._on_stream(kind, number, payload)
        if number:
            raise TunnelError(f"a frame of type {kind} on a stream")
        match kind:
            case FrameType.SETTINGS:
                return self._on_settings(payload, now)
            case FrameType.PING:
                self.outbox.pong = read_ping(payload, "PING")
            case FrameType.PONG:
                return self._on_pong(read_ping(payload, "PONG"), now)
            case FrameType.GOAWAY:
                self.going_away = True
                return Came.GOAWAY, None, GoAway.decode(payload)
        return None  # of a type to come

    def _on_settings(self, payload: bytes, now: float) -> Event:
        if self.peer is not None:
            raise TunnelError("SETTINGS a second time")
        self.peer = Settings.decode(payload)
        self.liveness.ping(now)
        if self._leaving is not None:
            self._say_goaway(now)
        return Came.UP, None, self.peer

    def _on_pong(self, payload: bytes, now: float) -> Event:
        if self.liveness.ponged(payload, now) and self._last_served == EVERY_STREAM:
            self._last_served = self._last_opened
            self._say_last(self._last_served)
        return Came.ROUND_TRIP, None, self.liveness.round_trip

    def _on_open(self, number: int, payload: bytes, now: float) -> Event | None:
        if self._role is Role.EGRESS:
            raise TunnelError("OPEN from the side that does not open")
        if self.going_away:
            raise TunnelError("OPEN after GOAWAY")
        if self.outbox.endings > MAX_ENDINGS_UNREAD + self._settings.max_streams:
            raise TunnelError(f"over {MAX_ENDINGS_UNREAD} streams ended, and no answer was read")
        if not number & 1 or number > LAST_ID:
            raise TunnelError(f"OPEN of stream {number}, which is not odd and below 2^31")
        if number <= self._last_opened:
            raise TunnelError(f"OPEN of stream {number}, which was used before")
        said = Open.decode(payload)
        self._last_opened = number
        if number > self._last_served:
            self._refuse(number, ErrorCode.REFUSED)
        elif not self._has_room():
            self._refuse(number, ErrorCode.OVERLOAD)
        else:
            assert self.peer is not None  # noqa: S101 - looked at before
            return Came.OPEN, self._new_stream(number, self.peer.initial_window, now), said
        return None

    def _has_room(self) -> bool:
        settings = self._settings
        room = len(self.streams) < settings.max_streams
        return room and self._budget.take(settings.initial_window)

    def _refuse(self, number: int, code: ErrorCode) -> None:
        self.outbox.put(FrameType.RESET, number, Reset(code, code.name.lower()).encode())

    def _on_stream(self, kind: int, number: int, payload: bytes) -> Event | None:
        stream = self.streams.get(number)
        if stream is None:
            self._stray(number, FrameType(kind).name)
            return None
        match kind:
            case FrameType.END:
                if payload:
                    raise TunnelError("END with a payload")
                if stream.ended_by_peer:
                    raise TunnelError("END a second time")
                stream.ended_by_peer = True
                stream.receive.shut()
                self.due.pop(stream, None)
                if stream.ended_by_us:
                    self._remove(stream)
                return Came.END, stream, None
            case FrameType.RESET:
                why = Reset.decode(payload)
                if self._role is Role.INGRESS:
                    self._count_reset(stream)
                self._remove(stream)
                return Came.RESET, stream, why
        grant = read_window(payload)
        if stream.send_window + grant > MAX_WINDOW:
            raise TunnelError("WINDOW beyond 2^31-1 bytes")
        stream.allow(grant)
        return Came.WRITABLE, stream, None

    def _stray(self, number: int, name: str) -> None:
        """A frame for a stream that is not open; one that was is passed over, since we may have
        reset it while the frame was on its way."""
        if self.peer is None:
            raise TunnelError("the first frame is not SETTINGS")
        if not number & 1 or number > self._last_opened:
            raise TunnelError(f"{name} on stream {number}, which was never opened")

    # Streams.

    def _new_stream(self, number: int, send_window: int, now: float) -> Stream:
        receive = ReceiveWindow(self._budget, self._settings.initial_window, now)
        stream = self.streams[number] = Stream(number, send_window, receive)
        return stream

    def _remove(self, stream: Stream) -> None:
        stream.gone = True
        del self.streams[stream.id]
        self.due.pop(stream, None)

    def _count_reset(self, stream: Stream) -> None:
        """A stream was reset by who opened it. Some do with reason; an endless row of them costs us
        a dial each, and them nothing."""
        self._unanswered_resets = 0 if stream.sent else self._unanswered_resets + 1
        if self._unanswered_resets > MAX_RESETS_UNANSWERED:
            raise TunnelError(f"over {MAX_RESETS_UNANSWERED} streams in a row opened and reset")


def _wrong_data(stream: Stream, left: int) -> TunnelError:
    if stream.ended_by_peer:
        return TunnelError("DATA after END")
    return TunnelError("DATA beyond the stream's window" if left < 0 else "DATA without data")
