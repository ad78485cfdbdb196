"""The system's `openssl s_client` and `s_server`, typed at like at a terminal.

They are the peer that can update keys on command: a line `K` updates its key and asks us to
update ours, `k` only updates its own. Any other line is sent as data.
"""

import re
import subprocess
import threading
import time

from tests.support.peers import openssl_command

DEADLINE = 20  # seconds until a silent program is a failed test


class OpenSslProgram:
    """One running `openssl` command; what it prints is in `screen`."""

    def __init__(self, *arguments):
        self.screen = ""
        self._process = subprocess.Popen(
            [openssl_command(), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, text):
        """Wait until that was printed; returns the match, and forgets the screen up to it."""
        deadline = time.monotonic() + DEADLINE
        with self._changed:
            while not (match := re.search(text, self.screen)):
                remaining = deadline - time.monotonic()
                assert remaining > 0, f"no {text!r} on the screen:\n{self.screen}"
                self._changed.wait(remaining)
            self.screen = self.screen[match.end() :]
            return match

    def type(self, line):
        """A command letter counts at the start of what one read brings: type, then wait."""
        self._process.stdin.write(line.encode() + b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._reader.join()
        self._process.stdin.close()
        self._process.stdout.close()

    def _read(self):
        while data := self._process.stdout.read(4096):
            with self._changed:
                self.screen += data.decode(errors="replace")
                self._changed.notify_all()
