"""Reads token streams and says when tokens came: `bench.streams PORT COUNT INTERVAL_MS SECONDS`.

Streams are opened one after another, at a token a second each; when all are open they ask for one
each interval. Times are taken as each token is read: what this process itself adds is
in the figures of streams that come straight from the server, too, and those are what others are
held against.
"""

import select
import socket
import sys
import time

from bench.figures import quantiles
from bench.gate import Work, serve_load
from bench.tokens import REQUEST, TOKEN

SLOWLY = 1000  # ms
PAUSE = 0.005  # between one stream's opening and the next
AT_A_TIME = 8  # wait for their first token: a proxy may limit handshakes under way
PATIENCE = 20.0  # seconds
WARM_UP = 0.3  # seconds at full pace
TICKS = 100_000  # a second has: gaps are counted, since a list of them takes long to sort


class Stream:
    """One stream, and what is known of it."""

    __slots__ = ("asked", "last", "received", "socket")

    def __init__(self, port: int) -> None:
        self.asked = time.perf_counter()
        self.received, self.last = 0, 0.0
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.sendall(REQUEST % SLOWLY)
        self.socket.setblocking(False)


class Streams:
    """Open token streams, read from one loop."""

    def __init__(self, port: int, count: int) -> None:
        """Open them, until each has had a token. Raises TimeoutError, ConnectionResetError."""
        self._poller = select.epoll()
        self._streams: dict[int, Stream] = {}
        self.first: list[float] = []  # seconds from asking to the first token, of each stream
        for number in range(1, count + 1):
            stream = Stream(port)
            self._streams[stream.socket.fileno()] = stream
            self._poller.register(stream.socket.fileno(), select.EPOLLIN)
            self._wait(number - AT_A_TIME)
        self._wait(count)

    def _wait(self, wanted: int) -> None:
        """Read for a moment, and until so many streams have begun."""
        patient = time.perf_counter() + PATIENCE
        self._read(time.perf_counter() + PAUSE)
        while len(self.first) < wanted:
            if time.perf_counter() > patient:
                raise TimeoutError(f"{wanted - len(self.first)} streams have no token yet")
            self._read(time.perf_counter() + PAUSE)

    def hurry(self, interval_ms: int) -> None:
        """Ask for tokens at full pace, and let it become steady."""
        for stream in self._streams.values():
            stream.socket.sendall(REQUEST % interval_ms)
        self._read(time.perf_counter() + WARM_UP)

    def watch(self, seconds: float) -> list[float]:
        """The gap before each token of some time, in seconds, sorted. Raises ConnectionResetError.

        Tokens that arrive together have no gap between them.
        """
        counts = self._read(time.perf_counter() + seconds)
        return [ticks / TICKS for ticks, count in sorted(counts.items()) for _ in range(count)]

    def close(self) -> None:
        """Leave."""
        for stream in self._streams.values():
            stream.socket.close()
        self._poller.close()

    def _read(self, end: float) -> dict[int, int]:
        """Read until then; how often each gap was seen, in ticks."""
        counts: dict[int, int] = {}
        clock, poll, streams, size = time.perf_counter, self._poller.poll, self._streams, len(TOKEN)
        while (now := clock()) < end:
            for descriptor, _ in poll(end - now):
                stream = streams[descriptor]
                data = stream.socket.recv(65536)
                now = clock()
                if not data:
                    raise ConnectionResetError("a stream ended")
                before = stream.received // size
                stream.received += len(data)
                tokens = stream.received // size - before
                if not tokens:
                    continue
                if before:
                    ticks = int((now - stream.last) * TICKS)
                    counts[ticks] = counts.get(ticks, 0) + 1
                else:
                    self.first.append(now - stream.asked)
                if tokens > 1:
                    counts[0] = counts.get(0, 0) + tokens - 1
                stream.last = now
        return counts


def main() -> None:
    port, count, interval_ms, seconds = *map(int, sys.argv[1:4]), float(sys.argv[4])
    streams = Streams(port, count)
    first = quantiles(streams.first)
    streams.hurry(interval_ms)

    def work() -> Work:
        gaps = streams.watch(seconds)
        return Work(len(gaps), {"gap": quantiles(gaps), "first token": first})

    serve_load(work)


if __name__ == "__main__":
    main()
