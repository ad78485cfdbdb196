"""Writes the secrets of connections to a file, for the operator who asked for it with --keylog."""

import os

from pqproxy.tls import KeyLog


def open_key_log(path: str) -> KeyLog:
    """Append to a file that only its owner can read. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def write(line: str) -> None:
        # One write is one line, also with other workers on the same file.
        os.write(descriptor, line.encode() + b"\n")

    return write
