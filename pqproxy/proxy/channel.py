"""What supervisor and worker say to each other, and how it is framed.

A frame is a length (u32, big-endian) and that many bytes. The supervisor's first frame is a pickled
`WorkerStart`; everything after it, both ways, is JSON, in which a `WorkerChange` is a string. Only
the worker unpickles, and only what its parent wrote: the worker faces the network, so the
supervisor never unpickles what it says.

What changes in a running worker changes in two steps, so that all workers change or none:

    prepare id change   ->   prepared id | unprepared id error
    commit id           ->   committed id
    abandon id

A worker that only finishes what it has is told of later settings in one, for whom they revoke:

    withdraw change

The listening sockets of a change come by another way (`handover.py`), before its `prepare`.

Pure: no sockets, so that both sides and their tests share it.
"""

import base64
import pickle
from collections.abc import Iterator
from dataclasses import dataclass

from pqproxy.config.values import Settings

MAX_FRAME = 64 << 20  # revocation lists may be long
MAX_REPORT = 2 << 20  # of a worker: JSON may take thirty times its length to hold
_PREFIX = 4


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """Everything a worker is told at its start."""

    settings: Settings
    listeners: dict[str, list[int]]  # inherited listening descriptors by listener
    log_tty: bool  # whether a person reads the log

    def encode(self) -> bytes:
        """As the payload of the first frame."""
        return pickle.dumps(self)

    @staticmethod
    def decode(payload: bytes) -> "WorkerStart":
        """Read the first frame. Only for the worker: see above."""
        start = pickle.loads(payload)  # noqa: S301 - only from the parent process
        if not isinstance(start, WorkerStart):
            raise TypeError("the first frame is not a WorkerStart")
        return start


@dataclass(frozen=True, slots=True)
class WorkerChange:
    """What is to be in force in a running worker instead of what is."""

    settings: Settings
    # Where each listener gets its sockets: from the one in force that is named here, or that many
    # new ones, which are handed over in this order.
    sockets: dict[str, str | int]

    def encode(self) -> str:
        """As a JSON frame can carry it."""
        return base64.b64encode(pickle.dumps(self)).decode()

    @staticmethod
    def decode(encoded: str) -> "WorkerChange":
        """Read it again. Only for the worker: see above."""
        change = pickle.loads(base64.b64decode(encoded))  # noqa: S301 - only from the parent process
        if not isinstance(change, WorkerChange):
            raise TypeError("that is not a WorkerChange")
        return change


def encode_frame(payload: bytes) -> bytes:
    """Frame one message. Raises ValueError when it is too long to be meant."""
    if len(payload) > MAX_FRAME:
        raise ValueError(f"frame of {len(payload)} bytes")
    return len(payload).to_bytes(_PREFIX, "big") + payload


class FrameReader:
    """Cuts a byte stream into frames."""

    __slots__ = ("_buffer", "_longest")

    def __init__(self, longest: int = MAX_FRAME) -> None:
        self._buffer = bytearray()
        self._longest = longest

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Take bytes and give the frames that are complete.

        Raises ValueError for a frame that is too long to be meant: the stream is unusable then.
        """
        self._buffer += data
        while len(self._buffer) >= _PREFIX:
            length = int.from_bytes(self._buffer[:_PREFIX], "big")
            if length > self._longest:
                raise ValueError(f"frame of {length} bytes")
            if len(self._buffer) < _PREFIX + length:
                return
            frame = bytes(self._buffer[_PREFIX : _PREFIX + length])
            del self._buffer[: _PREFIX + length]
            yield frame
