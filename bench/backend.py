"""The server behind the proxies: answers every request at once, from one raw-socket loop.

`GET /` gets 128 bytes, `GET /bytes/N` gets N; what a `POST` of Content-Length N brings is dropped
and answered with 128 bytes. Requests must come whole but for a POST's body, one at a time, which
is what the loads of this package do.
"""

import select
import socket
import sys
from functools import cache

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
BULK_PATH = b"GET /bytes/"
UPLOAD = b"POST "
CHUNK = memoryview(bytes(1 << 20))
TURN = 1 << 18  # bytes of a large answer at a time: small requests do not wait for all of it
SMALL = 1 << 16  # up to here an answer is one send
_window = memoryview(bytearray(1 << 20))  # into which uploads are read, to be dropped


@cache
def answer(size: int) -> bytes:
    """A whole response with a body of `size` bytes."""
    return HEAD % size + b"x" * size


class Connection:
    """One client: `left` bytes of an answer are still to be sent, `due` bytes of a body to come."""

    def __init__(self, client: socket.socket) -> None:
        self.socket = client
        self.left = self.due = 0

    def on_ready(self, mask: int) -> bool:
        """Go on where there is something to do. False: the client has left."""
        try:
            if mask & select.EPOLLIN and not self._receive():
                return False
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def send_on(self) -> bool:
        """Send some more of a large answer. False: for now, that was it."""
        try:
            self.left -= self.socket.send(CHUNK[: min(self.left, TURN)])
        except OSError:  # full, or gone, which the poller tells
            return False
        return self.left > 0

    def _receive(self) -> bool:
        if not self.due:
            request = self.socket.recv(65536)
            if not request:
                return False
            self._answer(request)
        while self.due:  # edge-triggered: all there is, now
            count = self.socket.recv_into(_window)
            if not count:
                return False
            self._drop(count)
        return True

    def _answer(self, request: bytes) -> None:
        if request.startswith(BULK_PATH):
            size = int(request[len(BULK_PATH) :].split(b" ", 1)[0])
            if size <= SMALL:
                self.socket.send(answer(size))
            else:
                self.left = size
                self.socket.send(HEAD % size)
        elif request.startswith(UPLOAD):
            head, _, body = request.partition(b"\r\n\r\n")
            self.due = int(head.rpartition(b"Content-Length: ")[2].split(b"\r\n")[0])
            self._drop(len(body))
        else:
            self.socket.send(answer(128))

    def _drop(self, count: int) -> None:
        self.due -= count
        if not self.due:
            self.socket.send(answer(128))


def serve(listener: socket.socket) -> None:
    """Answer until the process is ended."""
    poller = select.epoll()
    poller.register(listener.fileno(), select.EPOLLIN)
    connections: dict[int, Connection] = {}
    sending: set[Connection] = set()  # large answers whose sockets have room
    while True:
        for descriptor, mask in poller.poll(0 if sending else None):
            if descriptor == listener.fileno():
                client, _ = listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[client.fileno()] = Connection(client)
                # Edge-triggered for both: a large answer then needs no change of interest.
                interest = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
                poller.register(client.fileno(), interest)
            elif not connections[descriptor].on_ready(mask):
                gone = connections.pop(descriptor)
                sending.discard(gone)
                gone.socket.close()
            elif connections[descriptor].left:
                sending.add(connections[descriptor])
        sending = {connection for connection in sending if connection.send_on()}


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096))
