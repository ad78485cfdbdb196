"""The floor: a pair of plain TCP relays, `python -m bench.floor LISTEN:CONNECT …`, ports both.

No TLS, no policy, no log: what a pair of proxies written in Python cannot go below while each
client connection is a connection of its own between them.
"""

import select
import socket
import sys
from contextlib import suppress

from bench.pair import Plan
from bench.processes import module

WINDOW = 1 << 18


class Floor:
    """The pair."""

    name, group, workers = "floor", "", 1

    def missing(self) -> str | None:
        return None

    def version(self) -> str:
        return "plain TCP relays in Python, without TLS"

    def egress(self, plan: Plan) -> list[str]:
        return module("bench.floor", f"{plan.entry}:{plan.mutual}")

    def ingress(self, plan: Plan) -> list[str]:
        ports = (plan.mutual, plan.anonymous)
        return module("bench.floor", *(f"{port}:{plan.backend}" for port in ports))


class Relay:
    """One event loop, and the connections that it joins."""

    def __init__(self, ports: list[tuple[int, int]]) -> None:
        self._poller = select.epoll()
        self._window = memoryview(bytearray(WINDOW))
        self._ends: dict[int, End] = {}
        self._listeners: dict[int, tuple[socket.socket, int]] = {}
        for listen, connect in ports:
            listener = socket.create_server(("127.0.0.1", listen), backlog=4096)
            self._listeners[listener.fileno()] = listener, connect
            self._poller.register(listener.fileno(), select.EPOLLIN)

    def run(self) -> None:
        """Relay until the process is ended."""
        ends, listeners = self._ends, self._listeners
        while True:
            for descriptor, mask in self._poller.poll():
                if (end := ends.get(descriptor)) is not None:
                    self._on_ready(end, mask)
                elif descriptor in listeners:
                    self._accept(*listeners[descriptor])

    def _accept(self, listener: socket.socket, port: int) -> None:
        client = End(listener.accept()[0])
        server = End(socket.create_connection(("127.0.0.1", port)))
        client.other, server.other = server, client
        for end in (client, server):
            end.socket.setblocking(False)
            end.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._ends[end.descriptor] = end
            self._poller.register(end.descriptor, select.EPOLLIN)

    def _on_ready(self, end: "End", mask: int) -> None:
        try:
            if mask & select.EPOLLOUT:
                self._flush(end)
            if mask & ~select.EPOLLOUT:
                self._carry(end)
        except BlockingIOError:
            pass
        except OSError:
            self._close(end)

    def _carry(self, end: "End") -> None:
        count = end.socket.recv_into(self._window)
        other = end.other
        if not count:
            end.ended = True
            if other.ended:
                self._close(end)
            else:
                self._poller.modify(end.descriptor, 0)
                other.socket.shutdown(socket.SHUT_WR)
            return
        sent = 0
        with suppress(BlockingIOError):
            sent = other.socket.send(self._window[:count])
        if sent < count:  # wait: this end is not read until the other has taken all of it
            other.unsent = bytes(self._window[sent:count])
            self._poller.modify(end.descriptor, 0)
            self._watch(other)

    def _flush(self, end: "End") -> None:
        end.unsent = end.unsent[end.socket.send(end.unsent) :]
        if not end.unsent:
            self._watch(end)
            self._watch(end.other)

    def _watch(self, end: "End") -> None:
        readable = 0 if end.ended or end.other.unsent else select.EPOLLIN
        writable = select.EPOLLOUT if end.unsent else 0
        self._poller.modify(end.descriptor, readable | writable)

    def _close(self, end: "End") -> None:
        for each in (end, end.other):
            self._ends.pop(each.descriptor, None)
            each.socket.close()


class End:
    """One of the two sockets of a connection."""

    __slots__ = ("descriptor", "ended", "other", "socket", "unsent")

    other: "End"

    def __init__(self, connection: socket.socket) -> None:
        self.socket, self.descriptor = connection, connection.fileno()
        self.unsent = b""
        self.ended = False


def main() -> None:
    ports = [(int(one), int(two)) for one, _, two in (arg.partition(":") for arg in sys.argv[1:])]
    Relay(ports).run()


if __name__ == "__main__":
    main()
