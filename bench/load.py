"""Load through a pair of proxies, from one raw-socket loop: `python -m bench.load KIND PORT …`.

Only the proxies' CPU is counted, so the load may be written in Python as long as the proxies'
core is the one that is full.
"""

import select
import socket
import sys
import time

from bench.backend import ANSWER
from bench.gate import serve_load

REQUEST = b"GET / HTTP/1.1\r\nHost: bench.test\r\n\r\n"
WARM_UP_REQUESTS = 50
GIGABYTE = 1e9


def main() -> None:
    kind, port, *arguments = sys.argv[1:]
    match kind:
        case "requests":
            connections, seconds = int(arguments[0]), float(arguments[1])
            clients = [_connect(int(port)) for _ in range(connections)]
            serve_load(lambda: exchange(clients, seconds))
        case "bulk":
            client, amount = _connect(int(port)), int(arguments[0])
            serve_load(lambda: download(client, amount) / GIGABYTE)
        case "idle":
            serve_load(lambda: hold(int(port), int(arguments[0])))


def exchange(clients: list[socket.socket], seconds: float) -> int:
    """Keep one request under way on each connection; returns the answers received."""
    poller = select.epoll()
    by_descriptor = {client.fileno(): client for client in clients}
    missing = dict.fromkeys(by_descriptor, len(ANSWER))
    for descriptor, client in by_descriptor.items():
        poller.register(descriptor, select.EPOLLIN)
        client.send(REQUEST)
    answers, deadline, stopped = 0, time.perf_counter() + seconds, 0
    while stopped < len(clients):
        for descriptor, _ in poller.poll():
            client = by_descriptor[descriptor]
            received = len(client.recv(4096))
            if not received:
                raise ConnectionResetError("a proxy closed a connection in mid-run")
            missing[descriptor] -= received
            if missing[descriptor]:
                continue
            answers += 1
            missing[descriptor] = len(ANSWER)
            if time.perf_counter() < deadline:
                client.send(REQUEST)
            else:
                stopped += 1
    return answers


def download(client: socket.socket, amount: int) -> int:
    """Fetch `amount` bytes and drop them; returns their number."""
    client.sendall(b"GET /bytes/%d HTTP/1.1\r\nHost: bench.test\r\n\r\n" % amount)
    window, received = bytearray(1 << 20), 0
    head = client.recv(4096)
    received = len(head) - (head.index(b"\r\n\r\n") + 4)
    while received < amount:
        count = client.recv_into(window)
        if not count:
            raise ConnectionResetError(f"the download ended after {received} of {amount} bytes")
        received += count
    return received


def hold(port: int, count: int) -> int:
    """Open connections that have carried one request each, and leave them open."""
    _held.extend(_connect(port, warm_up=1) for _ in range(count))
    return count


_held: list[socket.socket] = []


def _connect(port: int, warm_up: int = WARM_UP_REQUESTS) -> socket.socket:
    """A connection over which a few requests have already gone: the handshake is over."""
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(warm_up):
        client.sendall(REQUEST)
        missing = len(ANSWER)
        while missing:
            received = len(client.recv(missing))
            if not received:
                raise ConnectionResetError("the proxies closed the connection")
            missing -= received
    return client


if __name__ == "__main__":
    main()
