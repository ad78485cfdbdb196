"""A record that is one frame of data: a token, or a request of the only client.

Where many talk a record has many frames. Where one does, this and `Outbox.take_small` save a
seventh of the bytecodes of a request.
"""

from __future__ import annotations

from pqproxy.tunnel.frames import HEADER, HEADER_LENGTH, FrameType
from pqproxy.tunnel.stream import Stream

_DATA = int(FrameType.DATA)
_read_header = HEADER.unpack_from


def stream_of_lone(streams: dict[int, Stream], record: memoryview | bytes) -> Stream | None:
    """Whose data a record is, behind its header; the window has been looked at, and counted.

    None: it is something else, of which nothing was taken. `Tunnel.receive` knows what.
    """
    length = len(record) - HEADER_LENGTH
    if length <= 0:
        return None
    word, number = _read_header(record)
    stream = streams.get(number)
    if stream is None or word != length << 8 | _DATA:
        return None
    receive = stream.receive
    left = receive.left - length
    if left < 0:
        return None
    receive.left = left
    return stream
