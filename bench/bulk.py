"""Transfers through a pair: `python -m bench.bulk down|up PORT STREAMS BYTES`.

STREAMS connections carry BYTES each, all at a time, from one loop. They are opened after the go
and stay open until the end, so that whatever their opening costs on the wire can be counted.
"""

import select
import socket
import sys
from contextlib import suppress
from functools import partial

from bench.backend import CHUNK, answer
from bench.gate import Work, serve_load
from bench.load import connect

GIGABYTE = 1e9
_window = memoryview(bytearray(1 << 20))
_opened: list[socket.socket] = []


def main() -> None:
    direction, *numbers = sys.argv[1:]
    port, streams, amount = map(int, numbers)
    transfer = Download if direction == "down" else Upload
    connect(port, warm_up=20).close()
    serve_load(partial(run, transfer, port, streams, amount))


class Download:
    """One answer of `amount` bytes, dropped as it comes."""

    interest = select.EPOLLIN

    def __init__(self, client: socket.socket, amount: int) -> None:
        self._client, self._left = client, amount
        client.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: bench.test\r\n\r\n" % amount)
        head = client.recv(4096)
        self._left -= len(head) - (head.index(b"\r\n\r\n") + 4)

    def on_ready(self) -> bool:
        """Take what has come. True: that was all of it."""
        count = self._client.recv_into(_window)
        if not count:
            raise ConnectionResetError(f"the download ended {self._left} bytes early")
        self._left -= count
        return not self._left


class Upload:
    """One request with a body of `amount` bytes; it is over when the server has answered."""

    interest = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET

    def __init__(self, client: socket.socket, amount: int) -> None:
        self._client, self._left = client, amount
        head = b"POST / HTTP/1.1\r\nHost: bench.test\r\nContent-Length: %d\r\n\r\n"
        client.sendall(head % amount)

    def on_ready(self) -> bool:
        """Send on, all that goes; when all is sent, the answer is read."""
        while self._left:
            self._left -= self._client.send(CHUNK[: self._left])
        if len(self._client.recv(4096)) != len(answer(128)):
            raise ConnectionResetError("the upload was not answered")
        return True


def run(transfer: type[Download | Upload], port: int, streams: int, amount: int) -> Work:
    """All transfers at a time; the units are gigabytes."""
    poller = select.epoll()
    under_way: dict[int, Download | Upload] = {}
    for _ in range(streams):
        client = connect(port, warm_up=0)
        _opened.append(client)
        under_way[client.fileno()] = transfer(client, amount)
        client.setblocking(False)
        poller.register(client.fileno(), transfer.interest)
    while under_way:
        for descriptor, _ in poller.poll():
            with suppress(BlockingIOError):
                if under_way[descriptor].on_ready():
                    poller.unregister(descriptor)
                    del under_way[descriptor]
    return Work(streams * amount / GIGABYTE)


if __name__ == "__main__":
    main()
