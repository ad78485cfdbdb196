"""A stream of tokens that count, so that a lost or doubled one shows."""

import contextlib
import re
import socket
import threading
import time

INTERVAL = 0.005  # seconds between tokens


def echo_or_tokens(connection):
    """Numbered tokens for who asks for them, an echo for everybody else."""
    data = connection.recv(1 << 16)
    if data.startswith(b"GET /tokens"):
        number = 0
        while True:
            connection.sendall(b"data: %d\n\n" % number)
            number += 1
            time.sleep(INTERVAL)
    while data:
        connection.sendall(data)
        data = connection.recv(1 << 16)


class Tokens:
    """One client that reads tokens."""

    def __init__(self, address):
        self._socket = socket.create_connection(address, timeout=60)
        self._socket.sendall(b"GET /tokens HTTP/1.1\r\n\r\n")
        self.received, self.broken = bytearray(), None
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self):
        try:
            while data := self._socket.recv(1 << 16):
                self.received += data
        except OSError as error:
            self.broken = error

    def finish(self):
        """Stop reading; the numbers that came, in their order."""
        broken = self.broken
        with contextlib.suppress(OSError):  # reset already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(60)
        self._socket.close()
        self.broken = broken
        return [int(number) for number in re.findall(rb"data: (\d+)\n\n", self.received)]
