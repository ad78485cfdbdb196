"""A model server that sends tokens: `python -m bench.tokens PORT INTERVAL_MS`.

Every connection that has sent a request gets 240 bytes each interval until it leaves. All are
served from one loop; their phases differ, as those of independent answers do.
"""

import heapq
import select
import socket
import sys
import time

TOKEN = b"data: " + b"t" * 232 + b"\n\n"


def serve(listener: socket.socket, interval: float) -> None:
    """Send tokens until the process is ended."""
    poller = select.epoll()
    poller.register(listener.fileno(), select.EPOLLIN)
    clients: dict[int, socket.socket] = {}
    due: list[tuple[float, int]] = []  # when, to which descriptor
    while True:
        wait = max(0.0, due[0][0] - time.monotonic()) if due else -1
        for descriptor, _ in poller.poll(wait):
            if descriptor == listener.fileno():
                client, _ = listener.accept()
                client.setblocking(False)
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[client.fileno()] = client
                poller.register(client.fileno(), select.EPOLLIN)
            elif _asked(clients[descriptor]):
                heapq.heappush(due, (time.monotonic() + interval, descriptor))
            else:
                clients.pop(descriptor).close()
        now = time.monotonic()
        while due and due[0][0] <= now:
            when, descriptor = heapq.heappop(due)
            if descriptor in clients and _send(clients[descriptor]):
                heapq.heappush(due, (when + interval, descriptor))


def _asked(client: socket.socket) -> bool:
    try:
        return bool(client.recv(65536))
    except OSError:
        return False


def _send(client: socket.socket) -> bool:
    try:
        client.send(TOKEN)
    except BlockingIOError:
        return True  # a slow reader misses a token
    except OSError:
        return False
    return True


if __name__ == "__main__":
    serve(
        socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=4096),
        float(sys.argv[2]) / 1e3,
    )
