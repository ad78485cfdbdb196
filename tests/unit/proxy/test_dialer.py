import asyncio
import errno
import socket
from contextlib import closing

import pytest

from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.proxy.dialer import DialFailed, Endpoint, dial, dial_endpoint, literal, resolve
from pqproxy.telemetry.labels import ConnectResult


def failing(world, address, patience=5.0):
    with pytest.raises(DialFailed) as failure:
        world.run(dial(address, patience, world.engine.poller))
    assert not world.engine.poller._handlers  # nothing is left behind
    return failure.value


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_it_connects_to_addresses_and_names(world, host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]
        sock = world.run(dial(TcpAddress(host, port), 5.0, world.engine.poller))
        with closing(sock):
            assert sock.getpeername()[1] == port
            assert not sock.getblocking()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_server_that_takes_its_time_is_waited_for(world, monkeypatch):
    """One on this machine has answered when connect returns; one across the network has not."""

    class Remote(socket.SocketType):
        def connect_ex(self, address):
            super().connect_ex(address)
            return errno.EINPROGRESS

    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr("pqproxy.proxy.socket_options.Socket", Remote)
        address = TcpAddress(*server.getsockname())
        with closing(world.run(dial(address, 5.0, world.engine.poller))) as sock:
            assert sock.getpeername() == server.getsockname()
            assert not world.engine.poller._handlers


def test_it_connects_to_a_unix_socket(world, tmp_path):
    path = str(tmp_path / "model.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        world.run(dial(UnixAddress(path), 5.0, world.engine.poller)).close()


def test_a_unix_socket_with_a_full_queue_is_tried_again(world, tmp_path):
    path = str(tmp_path / "model.sock")
    with socket.socket(socket.AF_UNIX) as server, socket.socket(socket.AF_UNIX) as first:
        server.bind(path)
        server.listen(0)
        first.connect(path)
        world.loop.call_later(0.1, lambda: server.accept()[0].close())
        world.run(dial(UnixAddress(path), 5.0, world.engine.poller)).close()


def test_nobody_at_the_port_is_refused_at_once(world):
    failure = failing(world, TcpAddress("127.0.0.1", port := closed_port()))

    assert failure.result is ConnectResult.REFUSED
    assert str(failure) == f"127.0.0.1:{port}: connection refused"


def test_no_unix_socket_there_is_unreachable(world, tmp_path):
    failure = failing(world, UnixAddress(str(tmp_path / "none")))

    assert failure.result is ConnectResult.UNREACHABLE


def test_a_name_that_nobody_knows_is_unresolved(world):
    failure = failing(world, TcpAddress("model.invalid", 80), 10.0)

    assert failure.result is ConnectResult.UNRESOLVED


def answers(*ports):
    """getaddrinfo with these ports of the loopback for an answer, asked anew each time."""

    async def getaddrinfo(host, port, **_):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", p)) for p in ports]

    return getaddrinfo


class Names:
    """A loop that resolves as it is told."""

    def __init__(self, loop, getaddrinfo):
        self._loop, self.getaddrinfo = loop, getaddrinfo

    def __getattr__(self, name):
        return getattr(self._loop, name)


def test_every_address_of_a_name_is_tried(world):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        world.engine.poller.loop = Names(world.loop, answers(closed_port(), port))
        sock = world.run(dial(TcpAddress("model", 1), 5.0, world.engine.poller))
        assert sock.getpeername()[1] == port
        sock.close()
        world.engine.poller.loop = world.loop


class Silent:
    """A port that does not answer: its queue is full."""

    def __enter__(self):
        self.server = socket.socket()
        self.server.bind(("127.0.0.1", 0))
        self.server.listen(0)
        self.waiting = []
        for _ in range(4):
            client = socket.socket()
            client.setblocking(False)
            client.connect_ex(self.server.getsockname())
            self.waiting.append(client)
        return self.server.getsockname()[1]

    def __exit__(self, *_):
        for sock in (self.server, *self.waiting):
            sock.close()


def test_no_answer_is_a_timeout(world):
    with Silent() as port:
        failure = failing(world, TcpAddress("127.0.0.1", port), 0.1)

    assert failure.result is ConnectResult.TIMEOUT


def test_an_address_that_swallows_everything_leaves_time_for_the_next(world):
    with Silent() as port, socket.create_server(("127.0.0.1", 0)) as server:
        good = server.getsockname()[1]
        world.engine.poller.loop = Names(world.loop, answers(port, good))
        sock = world.run(dial(TcpAddress("model", 1), 0.6, world.engine.poller))
        assert sock.getpeername()[1] == good
        sock.close()
        world.engine.poller.loop = world.loop


def test_a_cancelled_dial_leaves_nothing(world):
    async def cancelled(port):
        task = asyncio.ensure_future(dial(TcpAddress("127.0.0.1", port), 5, world.engine.poller))
        await asyncio.sleep(0.02)
        assert world.engine.poller._handlers
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    with Silent() as port:
        world.run(cancelled(port))
    assert not world.engine.poller._handlers


def test_a_name_is_resolved_to_all_its_addresses_and_one_of_them_is_dialled(world):
    """So that each can be told of, and kept away from, by itself."""
    llm = TcpAddress("llm.test", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        world.engine.poller.loop = Names(world.loop, answers(closed := closed_port(), port, port))
        first, second = world.run(resolve(llm, 5.0, world.engine.poller))
        world.engine.poller.loop = world.loop
        assert first == Endpoint(llm, socket.AF_INET, ("127.0.0.1", closed))
        assert str(second) == "llm.test:1 (127.0.0.1)"
        assert not second.is_lasting
        with closing(world.run(dial_endpoint(second, 5.0, world.engine.poller))) as sock:
            assert sock.getpeername()[1] == port
        with pytest.raises(DialFailed, match=r"^llm.test:1 \(127.0.0.1\): connection refused$"):
            world.run(dial_endpoint(first, 5.0, world.engine.poller))


@pytest.mark.parametrize(
    "address", [TcpAddress("::1", 8443), TcpAddress("127.0.0.1", 8443), UnixAddress("/run/a.sock")]
)
def test_what_is_no_name_stands_for_itself_for_good(world, address):
    (endpoint,) = world.run(resolve(address, None, world.engine.poller))

    assert str(endpoint) == str(address)
    assert endpoint.is_lasting


def test_a_name_without_an_address_is_unresolved(world):
    world.engine.poller.loop = Names(world.loop, answers())
    with pytest.raises(DialFailed, match="the name has no address") as failure:
        world.run(resolve(TcpAddress("llm.test", 1), 5.0, world.engine.poller))
    world.engine.poller.loop = world.loop

    assert failure.value.result is ConnectResult.UNRESOLVED


def test_a_name_is_no_literal():
    assert literal(TcpAddress("llm.test", 1)) is None
