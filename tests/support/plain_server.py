"""A plaintext TCP server with a behaviour: what a model server may do to a connection.

A behaviour is a function of an accepted socket; it runs in a thread, and the socket is closed
when it returns.
"""

import socket
import struct
import threading
from contextlib import contextmanager, suppress

RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def reset(connection):
    """Close a socket so that the other side sees RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    connection.close()


def echo(connection):
    """Send back what comes; end after the other side did."""
    while data := connection.recv(1 << 16):
        connection.sendall(data)


class PlainServer:
    """Accepts connections until `close`."""

    def __init__(self, behaviour, port=0):
        self._behaviour = behaviour
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024)
        self.address = self._listener.getsockname()
        self.forward = f"127.0.0.1:{self.address[1]}"
        self.accepted = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:  # closed
                return
            connection.settimeout(60)
            self.accepted.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        # The far side may go at any moment. Where that is wrong, the test says so.
        with suppress(OSError), connection:
            self._behaviour(connection)

    def close(self):
        """Stop listening, and cut every connection."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
        self._listener.close()
        for connection in self.accepted:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextmanager
def serving(behaviour, port=0):
    """A server for the length of a block."""
    server = PlainServer(behaviour, port)
    try:
        yield server
    finally:
        server.close()
