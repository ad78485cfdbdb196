"""What waits to leave through a tunnel, packed into as few records as it fits.

Frames are packed in the order in which they came. What a peer could make us say without end waits
in slots instead, one of each kind: a grant a stream, the last PONG, a PING of our own.
"""

from __future__ import annotations

from pqproxy.tunnel.frames import HEADER, HEADER_LENGTH, FrameType, frame, window
from pqproxy.tunnel.stream import Stream

# From here on whoever has data should wait. It is a quarter of a megabyte: what is put in front of
# a token is not to be more.
MOST_RECORDS = 16

_DATA = int(FrameType.DATA)
_ENDINGS = (FrameType.END, FrameType.RESET)
_header = HEADER.pack


class Outbox:
    """The frames that leave with the next flush, and what a record of data begins with.

    Attributes:
        endings: frames of those that wait, and say that a stream has ended.
        full: nobody should put data here now: so much waits already, or nothing can be sent.
        ping: the payload of a PING to be sent.
        pong: the payload of a PONG to be sent.
    """

    __slots__ = (
        "_blocked",
        "_max_record",
        "_pieces",
        "_records",
        "_room",
        "endings",
        "full",
        "ping",
        "pong",
    )

    def __init__(self, max_record: int) -> None:
        self._max_record = max_record
        self._records: list[list[bytes | bytearray]] = []  # that are complete
        self._pieces: list[bytes | bytearray] = []  # of the record that is being filled
        self._room = max_record  # in that
        self.endings = 0
        self._blocked = self.full = False
        self.ping: bytes | None = None
        self.pong: bytes | None = None

    @property
    def length(self) -> int:
        """About how many bytes wait."""
        return (len(self._records) + 1) * self._max_record - self._room

    @property
    def has_something(self) -> bool:
        """Whether there is anything to send."""
        return bool(self._pieces or self._records or self.ping or self.pong)

    def is_empty(self) -> bool:
        """Whether no frame waits, but for those in slots."""
        return not (self._pieces or self._records)

    def block(self, *, blocked: bool) -> None:
        """Say whether nothing can be sent now."""
        self._blocked = blocked
        self._look_whether_full()

    def put(self, kind: FrameType, stream: int, payload: bytes = b"") -> None:
        """Queue a frame that fits a record."""
        if kind in _ENDINGS:
            self.endings += 1
        self._put_frame(frame(kind, stream, payload))

    def put_window(self, stream: Stream, grant: int) -> None:
        """Queue WINDOW."""
        self._put_frame(window(stream.id, grant))

    def put_data(self, stream: Stream, data: bytes | bytearray) -> None:
        """Queue data of at most one record; its window has been looked at before."""
        length = len(data)
        stream.send_window -= length
        self._room -= length + HEADER_LENGTH
        if self._room < 0:
            self._begin_record(length + HEADER_LENGTH)
        self._pieces += (_header(length << 8 | _DATA, stream.id), data)

    @property
    def most_data(self) -> int:
        """How much data one frame may have."""
        return self._max_record - HEADER_LENGTH

    def take(self, at_most: int) -> list[list[bytes | bytearray]]:
        """Take up to so many records, each as the pieces of its plaintext."""
        if self.ping is not None:
            self.put(FrameType.PING, 0, self.ping)
            self.ping = None
        if self.pong is not None:
            self.put(FrameType.PONG, 0, self.pong)
            self.pong = None
        if not self._records:  # nearly always: all of it fits one
            if not self._pieces:
                return []
            taken, self._pieces, self._room = [self._pieces], [], self._max_record
        else:
            self._begin_record(0)
            taken, self._records = self._records[:at_most], self._records[at_most:]
        self.endings = 0  # the peer reads
        self._look_whether_full()
        return taken

    def take_small(self, below: int) -> bytes | None:
        """Take all that waits as the plaintext of one record; None unless it is so short.

        `take` for a lone frame, at half the cost.
        """
        short = self._max_record - self._room < below
        if not short or not self._pieces or self._records or self.ping or self.pong:
            return None
        taken = b"".join(self._pieces)
        self._pieces, self._room = [], self._max_record
        self.endings = 0  # the peer reads
        return taken

    def _put_frame(self, whole: bytes) -> None:
        self._room -= len(whole)
        if self._room < 0:
            self._begin_record(len(whole))
        self._pieces.append(whole)

    def _begin_record(self, needed: int) -> None:
        """Complete the record that is being filled; the next one begins with so many bytes."""
        if self._pieces:
            self._records.append(self._pieces)
            self._pieces = []
        self._room = self._max_record - needed
        self._look_whether_full()

    def _look_whether_full(self) -> None:
        self.full = self._blocked or len(self._records) >= MOST_RECORDS
