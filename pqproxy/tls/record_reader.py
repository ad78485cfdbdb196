"""Cutting records out of a byte stream (RFC 9846 §5.1).

In place: `RecordReader` hands out views into the buffer that was lent to it. Knows nothing of keys,
and nothing of what records mean.
"""

from __future__ import annotations

from struct import Struct

from pqproxy.tls.alerts import AlertDescription, FatalAlert, unexpected_message
from pqproxy.tls.codepoints import ContentType
from pqproxy.tls.record import HEADER_LENGTH, MAX_CIPHERTEXT, MAX_FRAGMENT

_NOTHING = memoryview(b"")
_read_header = Struct(">BHH").unpack_from
_CONTENT_TYPES = frozenset(ContentType)
_TELLING = 16  # bytes that tell text from garbage: a first line in HTTP has no fewer
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_APPLICATION_DATA = int(ContentType.APPLICATION_DATA)


class RecordReader:
    """Cuts a byte stream into records, without a copy but for the incomplete one at its end.

    Attributes:
        view: what was lent.
        position: how much of it was cut.
        kept: bytes of an incomplete record, copied out.
        is_tls: False when the first byte was none that a record starts with.
        is_text: what came instead of TLS is text, such as plain HTTP.
    """

    __slots__ = ("_seen", "is_text", "is_tls", "kept", "position", "view")

    def __init__(self) -> None:
        self.view = _NOTHING
        self.position = 0
        self.kept = b""
        self._seen = False  # a first record was cut
        self.is_tls = True
        self.is_text = False

    @property
    def held(self) -> int:
        """Bytes lent or kept that no record was cut from yet."""
        return len(self.kept) + len(self.view) - self.position

    def lend(self, data: bytes | bytearray | memoryview, room: int) -> None:
        """Take over the next bytes of the stream, for as long as `next_record` walks them.

        Args:
            data: if writable, records are handed out as views into it.
            room: how many bytes at its start are free; what was kept goes there if it fits.
        """
        if self.position < len(self.view):
            self.keep()
        view = data if type(data) is memoryview else memoryview(data)
        kept = len(self.kept)
        if view.readonly or kept > room:
            self.view, self.position = memoryview(bytearray(self.kept + view[room:])), 0
        else:
            if kept:
                view[room - kept : room] = self.kept
            self.view, self.position = view, room - kept
        self.kept = b""

    def join(self, view: memoryview, room: int) -> tuple[memoryview, int, int]:
        """Put what is kept in front of the next bytes; returns where, its start and its end."""
        self.lend(view, room)
        view, position = self.view, self.position
        self.drop()
        return view, position, len(view)

    def keep(self) -> None:
        """Copy out what was not walked yet, so that the lender has its buffer back."""
        if self.position < len(self.view):
            self.kept += self.view[self.position :].tobytes()
        self.view, self.position = _NOTHING, 0

    def drop(self) -> None:
        """Forget everything: nothing more will be walked."""
        self.view, self.position, self.kept = _NOTHING, 0, b""

    def next_record(self, *, protected: bool) -> memoryview | None:
        """Return the next whole record, header included, or None; then the rest is kept.

        Args:
            protected: whether keys are on; a record may be longer then.

        Raises:
            FatalAlert: record_overflow or unexpected_message, as soon as the header is there.
        """
        if self.kept and not len(self.view):
            self.view, self.position = memoryview(bytearray(self.kept)), 0
            self.kept = b""
        view, position = self.view, self.position
        available = len(view) - position
        if available and view[position] not in _CONTENT_TYPES:
            self._refuse_type(bytes(view[position : position + _TELLING]))
        if available >= HEADER_LENGTH:
            content_type, _, length = _read_header(view, position)
            if length > MAX_FRAGMENT and (
                length > MAX_CIPHERTEXT or not (protected or content_type == _APPLICATION_DATA)
            ):
                raise FatalAlert(AlertDescription.RECORD_OVERFLOW, f"record of {length} bytes")
            if available >= HEADER_LENGTH + length:
                self.position = end = position + HEADER_LENGTH + length
                self._seen = True
                return view[position:end]
        self.keep()
        return None

    def _refuse_type(self, begins: bytes) -> None:
        if self._seen:
            raise unexpected_message(f"record of unknown type {begins[0]}")
        self.is_tls = False
        self.is_text = not begins.translate(None, _TEXT)
        kind = "not TLS but text" if self.is_text else "not TLS"
        raise unexpected_message(f"{kind}: the first byte is {begins[:1]!r}")
