"""The server behind the proxies: answers every request at once, from one raw-socket loop.

`GET /` gets 128 bytes, `GET /bytes/N` gets N. Requests must come whole and one at a time,
which is what the load of this package does.
"""

import select
import socket
import sys

BODY = b"x" * 128
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 128\r\n\r\n" + BODY
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
BULK_PATH = b"GET /bytes/"
CHUNK = memoryview(bytes(1 << 20))


class Connection:
    """One client; `left` bytes of a bulk answer are still to be sent."""

    def __init__(self, client: socket.socket) -> None:
        self.socket = client
        self.left = 0

    def on_ready(self, mask: int) -> bool:
        """Go on where there is something to do. False: the client has left."""
        try:
            if mask & select.EPOLLIN and not self._answer():
                return False
            if self.left:
                self._send_bulk()
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def _answer(self) -> bool:
        request = self.socket.recv(65536)
        if request.startswith(BULK_PATH):
            self.left = int(request[len(BULK_PATH) :].split(b" ", 1)[0])
            self.socket.send(HEAD % self.left)
        elif request:
            self.socket.send(ANSWER)
        return bool(request)

    def _send_bulk(self) -> None:
        while self.left:
            self.left -= self.socket.send(CHUNK[: self.left])


def serve(listener: socket.socket) -> None:
    """Answer until the process is ended."""
    poller = select.epoll()
    poller.register(listener.fileno(), select.EPOLLIN)
    connections: dict[int, Connection] = {}
    while True:
        for descriptor, mask in poller.poll():
            if descriptor == listener.fileno():
                client, _ = listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connections[client.fileno()] = Connection(client)
                # Edge-triggered for both: a bulk answer then needs no change of interest.
                interest = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
                poller.register(client.fileno(), interest)
            elif not connections[descriptor].on_ready(mask):
                connections.pop(descriptor).socket.close()


if __name__ == "__main__":
    serve(socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096))
