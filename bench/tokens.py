"""A model server that sends tokens: `python -m bench.tokens PORT`.

Whoever asks for `GET /every/MS` gets 240 bytes at once, and again each so many milliseconds until
it leaves or asks again. All are served from one loop, which the kernel wakes once a millisecond;
streams differ in their phases, as independent answers do. `GET /megabyte` gets that, as fast as it
is taken.
"""

import heapq
import select
import socket
import sys
import time

TOKEN = b"data: " + b"t" * 232 + b"\n\n"
REQUEST = b"GET /every/%d HTTP/1.1\r\nHost: bench.test\r\n\r\n"
MEGABYTE = b"GET /megabyte HTTP/1.1\r\nHost: bench.test\r\n\r\n"
BLOCK, BLOCKS = bytes(65536), 16
GOLDEN = 0.618  # multiples of it, less their whole part, are spread evenly however many there are


class TokenServer:
    """Everybody's tokens, by when they are due."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._poller = select.epoll()
        self._poller.register(listener.fileno(), select.EPOLLIN)
        self._clients: dict[int, socket.socket] = {}
        self._asked: dict[socket.socket, int] = {}  # the number of each one's latest request
        self._due: list[tuple[float, int, float, socket.socket]] = []  # when, request, pace, whom
        self._requests = 0
        self._owed: dict[int, int] = {}  # blocks of a megabyte, by descriptor

    def serve(self) -> None:
        """Send tokens until the process is ended."""
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else -1
            for descriptor, mask in self._poller.poll(wait):
                if descriptor == self._listener.fileno():
                    self._accept()
                elif not self._serve(self._clients[descriptor], mask):
                    client = self._clients.pop(descriptor)
                    self._owed.pop(descriptor, None)
                    self._asked.pop(client, None)
                    client.close()
            self._send_what_is_due()

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._clients[client.fileno()] = client
        self._poller.register(client.fileno(), select.EPOLLIN)

    def _serve(self, client: socket.socket, mask: int) -> bool:
        """Go on with a megabyte, or take a request. False: the client has left."""
        descriptor = client.fileno()
        if mask == select.EPOLLOUT:
            self._owed[descriptor] -= 1
            if not self._owed[descriptor]:
                self._poller.modify(descriptor, select.EPOLLIN)
            return _send(client, BLOCK)
        try:
            request = client.recv(65536)
        except OSError:
            return False
        if request == MEGABYTE:
            self._owed[descriptor] = BLOCKS
            self._poller.modify(descriptor, select.EPOLLIN | select.EPOLLOUT)
            return True
        return bool(request) and self._begin(client, request)

    def _begin(self, client: socket.socket, request: bytes) -> bool:
        """The first token of a stream. False: the client has left."""
        if not _send(client):
            return False
        self._requests = number = self._requests + 1
        self._asked[client] = number
        pace = pace_of(request)
        when = time.monotonic() + pace * (number * GOLDEN % 1)
        heapq.heappush(self._due, (when, number, pace, client))
        return True

    def _send_what_is_due(self) -> None:
        due, asked, now = self._due, self._asked, time.monotonic()
        while due and due[0][0] <= now:
            when, number, pace, client = due[0]
            if asked.get(client) == number and _send(client):
                heapq.heapreplace(due, (when + pace, number, pace, client))
            else:  # it has left, or asked again
                heapq.heappop(due)


def pace_of(request: bytes) -> float:
    """The seconds between tokens that a request asks for. Raises ValueError."""
    path = request.split(b" ", 2)[1]
    return int(path.removeprefix(b"/every/")) / 1e3


def _send(client: socket.socket, data: bytes = TOKEN) -> bool:
    try:
        client.send(data)
    except BlockingIOError:
        return True  # a slow reader misses a token
    except OSError:
        return False
    return True


def main() -> None:
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096)
    TokenServer(listener).serve()


if __name__ == "__main__":
    main()
