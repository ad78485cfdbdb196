"""Connections that bring nothing: `python -m bench.strangers PORT COUNT`.

A third of them is silent, a third sends garbage, a third half a ClientHello. Whoever is let go
comes back at once, each from an address of its own group of 256, until stdin ends.
"""

import contextlib
import itertools
import select
import socket
import sys

HALF_A_HELLO = bytes.fromhex("16030105f0010005ec0303") + bytes(700)
PAYLOADS = (b"", bytes(range(200, 100, -1)) * 6, HALF_A_HELLO)


class Strangers:
    """Keeps `count` bad connections open."""

    def __init__(self, port: int, count: int) -> None:
        self._port = port
        self._poller = select.epoll()
        self._open: dict[int, socket.socket] = {}
        self._payloads = itertools.cycle(PAYLOADS)
        self._hosts = (f"127.0.1.{1 + number % 250}" for number in itertools.count())
        self.made = 0
        for _ in range(count):
            self._come()

    def _come(self) -> None:
        client = socket.socket()
        client.setblocking(False)
        client.bind((next(self._hosts), 0))
        with contextlib.suppress(BlockingIOError):
            client.connect(("127.0.0.1", self._port))
        self.made += 1
        self._open[client.fileno()] = client
        self._poller.register(client.fileno(), select.EPOLLOUT | select.EPOLLIN)

    def stay(self) -> None:
        """Send, be refused, and come back, until stdin ends."""
        self._poller.register(sys.stdin.fileno(), select.EPOLLIN)
        while True:
            for descriptor, mask in self._poller.poll():
                if descriptor == sys.stdin.fileno():
                    return
                if mask & ~select.EPOLLOUT:  # an alert, an end
                    self._open.pop(descriptor).close()
                    self._come()
                    continue
                with contextlib.suppress(OSError):
                    self._open[descriptor].send(next(self._payloads))
                self._poller.modify(descriptor, select.EPOLLIN)


def main() -> None:
    strangers = Strangers(*map(int, sys.argv[1:]))
    print("ready", flush=True)
    strangers.stay()
    print(strangers.made, flush=True)


if __name__ == "__main__":
    main()
