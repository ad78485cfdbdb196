"""Endpoints over real sockets, for peers that are programs: `drive`, `Server`, `dial`.

One select loop in a thread per connection: nothing here is fast, and nothing can block for ever.
"""

import re
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


def answer_http(body, content_type="text/plain"):
    """A behaviour: one HTTP/1.1 answer to the first request, echoing what was posted."""

    def react(endpoint):
        head, blank, posted = bytes(endpoint.received).partition(b"\r\n\r\n")
        if endpoint.closing or not blank:
            return
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", head)
        if len(posted) < (int(length[1]) if length else 0):
            return
        answer = posted or body
        endpoint.send(
            b"HTTP/1.1 200 OK\r\nconnection: close\r\n"
            + f"content-type: {content_type}\r\ncontent-length: {len(answer)}\r\n\r\n".encode()
            + answer
        )
        endpoint.close()

    return react


def drive(endpoint, sock, until=lambda: False, react=lambda _: None):
    """Carry bytes between an endpoint and a socket until `until()`, or until one of them ended."""
    sock.setblocking(False)
    unsent = bytearray()
    reading = True
    deadline = time.monotonic() + DEADLINE
    while True:
        react(endpoint)
        unsent += endpoint.take()
        if not unsent and (until() or endpoint.closed or not reading):
            return
        readable, writable = _wait(sock, reading, bool(unsent), deadline)
        try:
            if writable:
                del unsent[: sock.send(unsent)]
            if readable:
                reading = _read(endpoint, sock)
        except ConnectionError:  # some leave without waiting for our close_notify
            endpoint.feed_eof()
            return


def _wait(sock, reading, writing, deadline):
    remaining = max(deadline - time.monotonic(), 0)
    ready = select.select([sock] if reading else [], [sock] if writing else [], [], remaining)
    assert ready[0] or ready[1], f"nothing from the peer for {DEADLINE} s"
    return ready[:2]


def _read(endpoint, sock):
    """Whether there may be more to read."""
    if data := sock.recv(READ_SIZE):
        endpoint.feed(data)
    else:
        endpoint.feed_eof()
    return bool(data)


def dial(port, endpoint):
    """A socket to that local port, on which our client has finished its handshake or failed."""
    sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    drive(endpoint, sock, until=lambda: endpoint.handshake_complete)
    return sock


class Listener:
    """A local port: each connection is handled in a thread of its own."""

    def __init__(self, handle):
        self._handle = handle
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
        try:
            with sock:
                self._handle(sock)
        except Exception as error:
            self._errors.append(error)


class Server(Listener):
    """A TLS server on a local port, a new endpoint for each connection.

    with Server(make_endpoint, echo) as server:
        ... server.port, server.endpoints
    """

    def __init__(self, make_endpoint, behaviour=echo):
        super().__init__(self._converse)
        self.endpoints = []
        self._make_endpoint = make_endpoint
        self._behaviour = behaviour

    def _converse(self, sock):
        endpoint = self._make_endpoint()
        self.endpoints.append(endpoint)
        drive(endpoint, sock, react=self._behaviour())
        linger(sock)


def linger(sock):
    """Read to the end, so that our last words are not lost to a reset."""
    with suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(1)
        while sock.recv(READ_SIZE):
            pass
