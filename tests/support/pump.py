"""Random bytes to a server that echoes them and back, for as long as a test wants."""

import hashlib
import os
import socket
import threading

_CHUNK = 1 << 14
_PACE = 0.002  # seconds between chunks: what goes on beside it wants the machine too


class Pump:
    """One connection. What was sent and what came back are hashed; `finish` compares."""

    def __init__(self, address, pace=_PACE):
        self._pace = pace
        self._sent, self._returned = hashlib.sha256(), hashlib.sha256()
        self._stop = threading.Event()
        self.sent = self.returned = 0
        self.broken = None  # the error that ended it
        self._threads = []
        try:
            self._socket = socket.create_connection(address, timeout=60)
        except ConnectionResetError as error:  # who is refused may be so before it knows it is in
            self._socket, self.broken = socket.socket(), error
            return
        self._threads = [
            threading.Thread(target=self._run, args=(each,)) for each in (self._send, self._receive)
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, work):
        try:
            work()
        except OSError as error:
            self.broken = error

    def _send(self):
        while not self._stop.wait(self._pace):
            data = os.urandom(_CHUNK)
            self._sent.update(data)
            self._socket.sendall(data)
            self.sent += len(data)
        self._socket.shutdown(socket.SHUT_WR)

    def _receive(self):
        while data := self._socket.recv(1 << 16):
            self._returned.update(data)
            self.returned += len(data)

    def finish(self):
        """End it; whether every byte came back as it was sent, and the end was clean."""
        self._stop.set()
        for thread in self._threads:
            thread.join(60)
        self._socket.close()
        return (
            self.broken is None
            and 0 < self.sent == self.returned
            and self._sent.digest() == self._returned.digest()
        )
