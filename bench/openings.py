"""Connections through an egress to bench.tls_server: `python -m bench.openings PORT SECONDS KIND`.

KIND is the byte that the server says of each handshake, F (full) or R (resumed); another ends the
run. A client here costs a connect, one byte read and a close, so that a handful keep the egress
busy.
"""

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench.gate import Work, serve_load

THREADS = 4
WARM_UP = 1.0  # seconds that nobody counts: the first hundred cost more than those that follow


class Opener:
    """Opens connections one after another."""

    def __init__(self, port: int, kind: bytes) -> None:
        self._port, self._kind = port, kind

    def warm_up(self) -> None:
        """As many at a time as will be, so that the egress has tickets for all of them."""
        clients = [self._connect() for _ in range(THREADS)]
        for client in clients:
            _said(client)
            client.close()

    def repeat(self, deadline: float) -> int:
        """Until the deadline; returns how many. Raises ValueError."""
        count = 0
        while time.perf_counter() < deadline:
            with self._connect() as client:
                if (kind := _said(client)) != self._kind:
                    raise ValueError(f"handshake {count + 1} was {kind!r}, not {self._kind!r}")
            count += 1
        return count

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._port))


def _said(client: socket.socket) -> bytes:
    said = client.recv(1)
    if not said:
        raise ConnectionResetError("the egress closed a connection before the server spoke")
    return said


def run(opener: Opener, seconds: float) -> Work:
    """From all threads."""
    deadline = time.perf_counter() + seconds
    with ThreadPoolExecutor(THREADS) as pool:
        return Work(sum(pool.map(opener.repeat, [deadline] * THREADS)))


def main() -> None:
    opener = Opener(int(sys.argv[1]), sys.argv[3].encode())
    opener.warm_up()
    run(opener, WARM_UP)
    serve_load(lambda: run(opener, float(sys.argv[2])))


if __name__ == "__main__":
    main()
