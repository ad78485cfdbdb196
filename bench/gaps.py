"""Reads token streams and says how far apart tokens came: `python -m bench.gaps PORT COUNT`.

Answers each line on stdin, a number of seconds, with a JSON line: the gaps of that time in
milliseconds, over all streams.
"""

import json
import select
import socket
import sys
import time
from dataclasses import asdict

from bench.results import Gaps


class Streams:
    """Open token streams, read from one loop."""

    def __init__(self, port: int, count: int) -> None:
        self._poller = select.epoll()
        self._clients: dict[int, socket.socket] = {}
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port))
            client.sendall(b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n")
            client.recv(65536)  # the handshake is over, and the tokens come
            client.setblocking(False)
            self._clients[client.fileno()] = client
            self._poller.register(client.fileno(), select.EPOLLIN)

    def watch(self, seconds: float) -> Gaps:
        """Read for some time. Raises ConnectionResetError when a stream ends."""
        last: dict[int, float] = {}
        gaps: list[float] = []
        clock = time.perf_counter
        end = clock() + seconds
        while (now := clock()) < end:
            for descriptor, _ in self._poller.poll(end - now):
                if not self._clients[descriptor].recv(65536):
                    raise ConnectionResetError("a stream ended")
                now = clock()
                if descriptor in last:
                    gaps.append(now - last[descriptor])
                last[descriptor] = now
        return Gaps.of(gaps)


def main() -> None:
    streams = Streams(*map(int, sys.argv[1:]))
    streams.watch(0.5)  # what queued up while the others were being opened
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(asdict(streams.watch(float(line)))), flush=True)


if __name__ == "__main__":
    main()
