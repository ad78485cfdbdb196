"""Runs: protected records of one size, as a bulk transfer brings them (RFC 9846 §5.2).

More than a hundred of them lie in a buffer, always at the same places. Their views are made once,
and what is the same in all of them is written and compared by a few calls for the whole run. Knows
nothing of keys.
"""

from __future__ import annotations

from pqproxy.tls.record import HEADER_LENGTH, TAG_LENGTH


class Run:
    """Places of records in a buffer.

    Args:
        memory: with room for one record at least.
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

    __slots__ = (
        "_memory",
        "_starts",
        "bodies",
        "contents",
        "fragments",
        "records",
        "size",
        "types",
    )

    def __init__(self, memory: bytearray, start: int, size: int, stride: int) -> None:
        self._starts = starts = range(start, len(memory) - size + 1, stride)
        end, buffer = starts[-1] + size, memoryview(memory)
        self._memory, self.size = memory, size
        self.records = [buffer[at : at + size] for at in starts]
        self.bodies = [record[HEADER_LENGTH:] for record in self.records]
        self.contents = [body[:-TAG_LENGTH] for body in self.bodies]
        self.fragments = [content[:-1] for content in self.contents]
        self.types = buffer[start + size - TAG_LENGTH - 1 : end : stride]

    def write(self, start: int, end: int, header: bytes, content_type: int) -> None:
        """Put what stands around each of the fragments from number `start` to `end`."""
        self.types[start:end] = bytes((content_type,)) * (end - start)
        memory, starts = self._memory, self._starts[start:end]
        for column, byte in enumerate(header):
            memory[self._column(starts, column)] = bytearray((byte,)) * (end - start)

    def count(self, header: bytes, most: int) -> int:
        """How many of the first `most` records have this header, up to one that has not."""
        starts = self._starts[:most]
        for column, byte in enumerate(header):
            bytes_of_it = self._memory[self._column(starts, column)]
            starts = starts[: len(bytes_of_it) - len(bytes_of_it.lstrip(bytes((byte,))))]
        return len(starts)

    @staticmethod
    def _column(starts: range, byte: int) -> slice:
        """The bytes with this number of each of some records.

        Of the memory itself, whose columns take half the time that those of a view do.
        """
        return slice(starts.start + byte, starts.stop + byte, starts.step)


class Landing:
    """A buffer that protected records are read into.

    Args:
        memory: the buffer, with room for a record of any size behind `start`.
        start: where a record begins if none was incomplete before; what is before that is free,
            and room for what is kept of an incomplete one.

    Attributes:
        view: of the whole buffer.
    """

    __slots__ = ("_memory", "_run", "start", "view")

    def __init__(self, memory: bytearray, start: int) -> None:
        self._memory, self.view, self.start = memory, memoryview(memory), start
        self._run: Run | None = None

    @property
    def fragments(self) -> list[memoryview]:
        """Of the last run; none before there was one."""
        return [] if self._run is None else self._run.fragments

    @property
    def length(self) -> int:
        """Bytes from `start` to the end of what fits: of whole records, if they are as long as
        those of the last run. Who reads no more has no rest of a record to keep.
        """
        run = self._run
        return len(self.view) - self.start if run is None else len(run.records) * run.size

    def run(self, size: int) -> Run:
        """Records of this size one behind another: the same run as long as the size is the same."""
        run = self._run
        if run is None or run.size != size:
            self._run = run = Run(self._memory, self.start, size, size)
        return run
