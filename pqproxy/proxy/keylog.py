"""Writes the secrets of connections to a file, for the operator who asked for it with --keylog."""

import logging
import os
import stat

from pqproxy.tls import KeyLog

_log = logging.getLogger(__name__)


def open_key_log(path: str) -> KeyLog:
    """Append to a file that only its owner can read, from now on at least. Raises OSError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.fchmod(descriptor, 0o600)  # it was there already, and open to others perhaps
    complained = False

    def write(line: str) -> None:
        nonlocal complained
        try:
            # One write is one line, also with other workers on the same file.
            os.write(descriptor, line.encode() + b"\n")
        except OSError as error:  # not worth a connection
            if not complained:
                _log.error("--keylog: %s takes no more: %s", path, error.strerror)
            complained = True

    return write
