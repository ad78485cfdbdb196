"""What waits to leave through a tunnel, packed into as few records as it fits.

Frames are packed in the order in which they came. What a peer could make us say without end waits
in slots instead, one of each kind: a grant a stream, the last PONG, a PING of our own.
"""

from __future__ import annotations

from pqproxy.tunnel.errors import TunnelError
from pqproxy.tunnel.frames import HEADER, HEADER_LENGTH, FrameType, frame, window
from pqproxy.tunnel.stream import Stream

# Refusals that a peer may provoke before it reads one of them.
MAX_WAITING_REFUSALS = 4096

_DATA = int(FrameType.DATA)
_header = HEADER.pack


class Outbox:
    """The frames that leave with the next flush, and what a record of data begins with.

    Attributes:
        length: bytes that wait, headers included.
    """

    __slots__ = (
        "_max_record",
        "_pieces",
        "_records",
        "_refusals",
        "_room",
        "length",
        "ping",
        "pong",
    )

    def __init__(self, max_record: int) -> None:
        self._max_record = max_record
        self._records: list[list[bytes]] = []  # full ones
        self._pieces: list[bytes] = []  # of the record that is being filled
        self._room = max_record  # in that
        self._refusals = 0
        self.length = 0
        self.ping: bytes | None = None
        self.pong: bytes | None = None

    def put(self, kind: FrameType, stream: int, payload: bytes = b"") -> None:
        """Queue a frame that fits a record."""
        self._put_frame(frame(kind, stream, payload))

    def put_refusal(self, stream: int, payload: bytes) -> None:
        """Queue RESET for a stream that never was one.

        Raises TunnelError for a peer that makes us say it again and again, and does not listen.
        """
        self._refusals += 1
        if self._refusals > MAX_WAITING_REFUSALS:
            raise TunnelError(f"over {MAX_WAITING_REFUSALS} streams were refused, no answer read")
        self.put(FrameType.RESET, stream, payload)

    def put_window(self, stream: Stream, grant: int) -> None:
        """Queue WINDOW."""
        self._put_frame(window(stream.id, grant))

    def put_data(self, stream: Stream, data: bytes) -> None:
        """Queue data of at most one record; its window has been looked at before."""
        length = len(data)
        stream.send_window -= length
        needed = HEADER_LENGTH + length
        self.length += needed
        if needed > self._room:
            self._next_record()
        self._room -= needed
        self._pieces += (_header(length << 8 | _DATA, stream.id), data)

    @property
    def most_data(self) -> int:
        """How much data one frame may have."""
        return self._max_record - HEADER_LENGTH

    def take(self, at_most: int) -> list[list[bytes]]:
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
            taken, self._pieces = [self._pieces], []
            self._room = self._max_record
            self.length = self._refusals = 0
            return taken
        self._next_record()
        taken, self._records = self._records[:at_most], self._records[at_most:]
        self.length -= sum(len(piece) for record in taken for piece in record)
        self._refusals = 0
        return taken

    def _put_frame(self, whole: bytes) -> None:
        self.length += len(whole)
        if len(whole) > self._room:
            self._next_record()
        self._room -= len(whole)
        self._pieces.append(whole)

    def _next_record(self) -> None:
        if self._pieces:
            self._records.append(self._pieces)
            self._pieces = []
        self._room = self._max_record
