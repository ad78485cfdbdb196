"""What is signed about content: its size and its SHA-512, computed in constant memory.

A file is compared with itself before and after: one that is still being written, or is replaced
meanwhile, has no digest that means anything.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pqproxy.signing.errors import ContentChanged

Content = bytes | bytearray | memoryview | BinaryIO | Path
_PIECE = 1024 * 1024  # bytes


@dataclass(frozen=True, slots=True)
class Digest:
    """What a statement says of content."""

    sha512: bytes
    size: int


def digest(content: Content, limit: int | None = None) -> Digest:
    """Read content to its end, or to the first byte beyond `limit`: then the size says so.

    Raises OSError where it cannot be read, and ContentChanged for a file that changed meanwhile.
    """
    if isinstance(content, Path):
        return _digest_of_file(content, limit)
    if isinstance(content, bytes | bytearray | memoryview):
        return Digest(hashlib.sha512(content).digest(), memoryview(content).nbytes)
    return _digest_of_stream(content, limit)


def _digest_of_file(path: Path, limit: int | None) -> Digest:
    with path.open("rb", buffering=0) as stream:
        before = os.fstat(stream.fileno())
        found = _digest_of_stream(stream, limit)
    # By its name, so that a file renamed into its place is seen too. A pipe has no state to keep.
    if stat.S_ISREG(before.st_mode) and _state(before) != _state(path.stat()):
        raise ContentChanged(f"{path} changed while it was read")
    return found


def _digest_of_stream(stream: BinaryIO, limit: int | None) -> Digest:
    hashed, size = hashlib.sha512(), 0
    while limit is None or size <= limit:
        wanted = _PIECE if limit is None else min(_PIECE, limit + 1 - size)
        piece = stream.read(wanted)
        if piece is None:
            raise BlockingIOError("the stream is not ready: give one that blocks")
        if not piece:
            break
        hashed.update(piece)
        size += len(piece)
    return Digest(hashed.digest(), size)


def _state(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
