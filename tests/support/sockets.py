"""Our connections over real sockets, for peers that are programs: `drive`, `Server`, `dial`.

One select loop in a thread per connection: nothing here is fast, and nothing can block for ever.
"""

import select
import socket
import threading
import time
from contextlib import suppress

DEADLINE = 20  # seconds until a silent peer is a failed test
READ_SIZE = 1 << 16


def echo():
    """A behaviour: send back what came, and close when the peer closed."""
    done = 0

    def react(endpoint):
        nonlocal done
        if len(endpoint.received) > done:
            endpoint.send(endpoint.received[done:])
            done = len(endpoint.received)
        if endpoint.peer_closed and not endpoint.closing:
            endpoint.close()

    return react


def drive(endpoint, sock, until=lambda: False, react=lambda _: None):
    """Carry bytes between our connection and a socket until `until()`, or until it is closed."""
    sock.setblocking(False)
    unsent = bytearray()
    deadline = time.monotonic() + DEADLINE
    while True:
        react(endpoint)
        unsent += endpoint.take()
        if not unsent and (until() or endpoint.connection.closed):
            return
        _wait(sock, bool(unsent), deadline)
        with suppress(BlockingIOError):
            if unsent:
                del unsent[: sock.send(unsent)]
        with suppress(BlockingIOError):
            _read(endpoint, sock)


def _wait(sock, writing, deadline):
    remaining = deadline - time.monotonic()
    ready = select.select([sock], [sock] if writing else [], [], max(remaining, 0))
    assert ready[0] or ready[1], f"nothing from the peer for {DEADLINE} s"


def _read(endpoint, sock):
    data = sock.recv(READ_SIZE)
    if data:
        endpoint.feed(data)
    else:
        endpoint.feed_eof()


def dial(port, endpoint):
    """A socket to that local port, on which our client has finished its handshake or failed."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    drive(endpoint, sock, until=lambda: endpoint.handshake_complete)
    return sock


class Server:
    """Our server on a local port: each connection in a thread, a new endpoint for each.

    with Server(make_endpoint, echo) as server:
        ... server.port, server.endpoints
    """

    def __init__(self, make_endpoint, behaviour=echo):
        self.endpoints = []
        self._make_endpoint = make_endpoint
        self._behaviour = behaviour
        self._threads = []
        self._errors = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        self._start(self._accept)
        return self

    def __exit__(self, kind, *_):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(DEADLINE)
        if self._errors and kind is None:
            raise self._errors[0]

    def _start(self, target, *arguments):
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self):
        with suppress(OSError):  # the listener was shut down: the test is over
            while True:
                sock, _ = self._listener.accept()
                self._start(self._serve, sock)

    def _serve(self, sock):
        endpoint = self._make_endpoint()
        self.endpoints.append(endpoint)
        try:
            with sock:
                drive(endpoint, sock, react=self._behaviour())
                _linger(sock)
        except Exception as error:
            self._errors.append(error)


def _linger(sock):
    """Read to the end, so that our last words are not lost to a reset."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(1)
        while sock.recv(READ_SIZE):
            pass
