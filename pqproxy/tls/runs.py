"""Runs: protected records of one size, as a bulk transfer brings them (RFC 9846 §5.2).

Some sixty of them lie in a buffer, always at the same places. Their views are made once, and what
is the same in all of them is written and compared by one call for the whole run. Knows nothing of
keys.
"""

from __future__ import annotations

from pqproxy.tls.record import HEADER_LENGTH, TAG_LENGTH


class Run:
    """Places of records in a buffer.

    Args:
        buffer: writable, with room for one record at least.
        start: where the first record begins.
        size: of each record, header and tag included.
        stride: from one record to the next, at least `size`.

    Attributes:
        size: of each record.
        records: each as a whole.
        bodies: each behind its header.
        contents: the bodies without the tag.
        fragments: the contents without the type byte at their end.
        types: the type bytes, as one view.
    """

    __slots__ = ("_headers", "bodies", "contents", "fragments", "records", "size", "types")

    def __init__(self, buffer: memoryview, start: int, size: int, stride: int) -> None:
        starts = range(start, len(buffer) - size + 1, stride)
        end = starts[-1] + size
        self.size = size
        self.records = [buffer[at : at + size] for at in starts]
        self.bodies = [record[HEADER_LENGTH:] for record in self.records]
        self.contents = [body[:-TAG_LENGTH] for body in self.bodies]
        self.fragments = [content[:-1] for content in self.contents]
        self.types = buffer[start + size - TAG_LENGTH - 1 : end : stride]
        self._headers = [buffer[start + byte : end : stride] for byte in range(HEADER_LENGTH)]

    def write(self, start: int, end: int, header: bytes, content_type: int) -> None:
        """Put what stands around each of the fragments from number `start` to `end`."""
        self.types[start:end] = bytes((content_type,)) * (end - start)
        for column, byte in zip(self._headers, header, strict=True):
            column[start:end] = bytes((byte,)) * (end - start)

    def count(self, header: bytes, most: int) -> int:
        """How many of the first `most` records have this header, up to one that has not."""
        for column, byte in zip(self._headers, header, strict=True):
            bytes_of_it = column[:most].tobytes()
            most = len(bytes_of_it) - len(bytes_of_it.lstrip(bytes((byte,))))
        return most


class Landing:
    """A buffer that protected records are read into.

    Args:
        view: the buffer, with room for a record of any size behind `start`.
        start: where a record begins if none was incomplete before; what is before that is free,
            and room for what is kept of an incomplete one.
    """

    __slots__ = ("_run", "start", "view")

    def __init__(self, view: memoryview, start: int) -> None:
        self.view, self.start = view, start
        self._run: Run | None = None

    def run(self, size: int) -> Run:
        """Records of this size one behind another: the same run as long as the size is the same."""
        run = self._run
        if run is None or run.size != size:
            self._run = run = Run(self.view, self.start, size, size)
        return run
