"""Load through a pair of proxies, from one raw-socket loop: `python -m bench.load KIND PORT …`.

Only the proxies' CPU is counted, so the load may be written in Python as long as the proxies'
core is the one that is full; its own CPU is reported beside theirs.
"""

import select
import socket
import sys
import time
from functools import partial

from bench.backend import answer
from bench.figures import quantiles
from bench.gate import Work, serve_load

REQUEST = b"GET /bytes/%d HTTP/1.1\r\nHost: bench.test\r\n\r\n"
SMALL = 128
WARM_UP_REQUESTS = 20
ENOUGH_WARM_UP = 500  # requests, over all connections


def main() -> None:
    kind, port, *arguments = sys.argv[1:]
    match kind:
        case "requests":
            connections, size, seconds = int(arguments[0]), int(arguments[1]), float(arguments[2])
            warm_up = max(1, min(WARM_UP_REQUESTS, ENOUGH_WARM_UP // connections))
            clients = [connect(int(port), warm_up) for _ in range(connections)]
            serve_load(partial(exchange, clients, size, seconds))
        case "connections":
            connect(int(port)).close()
            serve_load(partial(visit, int(port), int(arguments[0]), float(arguments[1])))
        case "idle":
            serve_load(partial(hold, int(port), int(arguments[0])))


def exchange(clients: list[socket.socket], size: int, seconds: float) -> Work:
    """Keep one request under way on each connection; the units are answers received."""
    poller, clock = select.epoll(), time.perf_counter
    request, length = REQUEST % size, len(answer(size))
    by_descriptor = {client.fileno(): client for client in clients}
    missing = dict.fromkeys(by_descriptor, length)
    began: dict[int, float] = {}
    latencies: list[float] = []
    for descriptor, client in by_descriptor.items():
        poller.register(descriptor, select.EPOLLIN)
        began[descriptor] = clock()
        client.send(request)
    deadline, stopped = clock() + seconds, 0
    while stopped < len(clients):
        for descriptor, _ in poller.poll():
            client = by_descriptor[descriptor]
            received = len(client.recv(65536))
            if not received:
                raise ConnectionResetError("a proxy closed a connection in mid-run")
            missing[descriptor] -= received
            if missing[descriptor]:
                continue
            now = clock()
            latencies.append(now - began[descriptor])
            missing[descriptor] = length
            if now < deadline:
                began[descriptor] = now
                client.send(request)
            else:
                stopped += 1
    return Work(len(latencies), {"latency": quantiles(latencies)})


def visit(port: int, clients: int, seconds: float) -> Work:
    """Connect, ask once, leave, again and again, some at a time; the units are connections."""
    poller, clock = select.epoll(), time.perf_counter
    length = len(answer(SMALL))
    under_way: dict[int, tuple[socket.socket, float]] = {}
    latencies: list[float] = []
    deadline = clock() + seconds

    def come() -> None:
        began = clock()
        client = connect(port, warm_up=0)
        client.send(REQUEST % SMALL)
        poller.register(client.fileno(), select.EPOLLIN)
        under_way[client.fileno()] = client, began

    for _ in range(clients):
        come()
    while under_way:
        for descriptor, _ in poller.poll():
            client, began = under_way.pop(descriptor)
            if len(client.recv(length, socket.MSG_WAITALL)) != length:
                raise ConnectionResetError("the proxies closed the connection")
            client.close()
            latencies.append(clock() - began)
            if clock() < deadline:
                come()
    return Work(len(latencies), {"latency": quantiles(latencies)})


def hold(port: int, count: int) -> Work:
    """Open connections that have carried one request each, and leave them open."""
    _held.extend(connect(port) for _ in range(count))
    return Work(count)


_held: list[socket.socket] = []


def connect(port: int, warm_up: int = 1) -> socket.socket:
    """A connection over which a few requests have already gone: the handshake is over."""
    client = socket.create_connection(("127.0.0.1", port))
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for _ in range(warm_up):
        _ask(client)
    return client


def _ask(client: socket.socket) -> None:
    client.sendall(REQUEST % SMALL)
    missing = len(answer(SMALL))
    while missing:
        received = len(client.recv(missing))
        if not received:
            raise ConnectionResetError("the proxies closed the connection")
        missing -= received


if __name__ == "__main__":
    main()
