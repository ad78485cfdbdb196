"""Runs: records that each are one frame of data, all of one size, as a bulk transfer has them.

A hundred of them lie in a buffer, always at the same places. Their views are made once, and what
is the same in all of them is written and compared by a few calls for the whole run. Knows nothing
of how records are protected.
"""

from __future__ import annotations

from collections.abc import Sequence

from pqproxy.tunnel.frames import HEADER, HEADER_LENGTH, FrameType
from pqproxy.tunnel.stream import Stream

_DATA = int(FrameType.DATA)
_read_header = HEADER.unpack_from

# Of one stream, what came of it in a run.
Share = tuple[Stream, list[memoryview | bytes]]


class FrameRun:
    """Where the frames of a run lie.

    Args:
        records: the places, one at least, all of one size.

    Attributes:
        records: the same.
        size: of the payload of each.
    """

    __slots__ = ("_headers", "_payloads", "records", "size")

    def __init__(self, records: list[memoryview]) -> None:
        self.records = records
        self.size = len(records[0]) - HEADER_LENGTH
        self._headers = [record[:HEADER_LENGTH] for record in records]
        self._payloads: list[memoryview | bytes] = [record[HEADER_LENGTH:] for record in records]

    def count(self, records: Sequence[memoryview | bytes]) -> int:
        """How many records, from the first on, are the places of this run, and not others.

        Looked for from the end: nothing stands between them.
        """
        own = self.records
        count = min(len(records), len(own))
        while count and records[count - 1] is not own[count - 1]:
            count -= 1
        return count

    def take(self, streams: dict[int, Stream], count: int) -> list[Share]:
        """Whose data the first `count` are, behind their headers; the windows have been looked at,
        and counted.

        What came of one stream is together, whatever lay between. Nothing: they are not all of
        that kind, and nothing was taken. `Tunnel.receive` knows what they are.
        """
        header, headers = bytes(self._headers[0]), b"".join(self._headers[:count])
        word, number = _read_header(header)
        if word != self.size << 8 | _DATA or not self.size:
            return []
        if headers == header * count:  # nearly always
            of = {number: self._payloads[:count]}
        else:
            of = {}
            frames = zip(HEADER.iter_unpack(headers), self._payloads, strict=False)
            for (other, number), payload in frames:
                if other != word:
                    return []
                of.setdefault(number, []).append(payload)
        shares = [(streams.get(number), pieces) for number, pieces in of.items()]
        taken = [(stream, pieces) for stream, pieces in shares if stream is not None]
        if len(taken) < len(shares) or any(
            stream.receive.left < len(pieces) * self.size for stream, pieces in taken
        ):
            return []
        for stream, pieces in taken:
            stream.receive.left -= len(pieces) * self.size
        return taken


def write_headers(memory: bytearray, places: range, size: int, stream: Stream) -> None:
    """Put the header of a frame of `size` bytes of data at each of some places, far apart.

    Column by column: a header at a time took four times as long.
    """
    first, end = places[0], places[-1] + HEADER_LENGTH
    for start, byte in enumerate(HEADER.pack(size << 8 | _DATA, stream.id), first):
        memory[start : end : places.step] = bytearray((byte,)) * len(places)
