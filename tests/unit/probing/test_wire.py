import asyncio
import socket
import threading

import pytest

from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.probing import wire
from pqproxy.probing.wire import TooMuch, Unreachable, connect
from tests.support.plain_server import echo, serving


def local(server):
    return TcpAddress(*server.address)


def unreachable(address, patience=5):
    with pytest.raises(Unreachable) as failure:
        asyncio.run(connect(address, patience))
    return failure.value


def test_bytes_go_and_come_and_are_counted():
    async def talk(server):
        async with await connect(local(server), 5) as connected:
            await connected.send(b"question")
            return await connected.receive(), connected

    with serving(echo) as server:
        answer, connected = asyncio.run(talk(server))

    assert answer == b"question"
    assert connected.received == 8
    assert connected.peer == server.forward
    assert connected.connect_seconds > 0


def test_a_unix_socket_is_reached(tmp_path):
    path = str(tmp_path / "s")

    async def talk():
        async with await connect(UnixAddress(path), 5) as connected:
            return connected.peer

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        assert asyncio.run(talk()) == f"unix:{path}"


def test_a_refused_connect_names_the_address_and_what_to_check():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    failure = unreachable(TcpAddress("127.0.0.1", port))

    assert str(failure) == f"127.0.0.1:{port}: connection refused"
    assert "nothing listens there" in failure.hint


def test_a_missing_unix_socket_is_said():
    assert "no such file" in str(unreachable(UnixAddress("/nonexistent/s")))


@pytest.mark.parametrize("host", ["nowhere.invalid", "a" * 70 + ".test"])
def test_a_name_that_is_none_is_said(host, monkeypatch):
    """No packet leaves: the answer of the resolver is played."""

    def fail(host, *_args, **_more):
        if len(host) > 63:
            host.encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(wire.socket, "getaddrinfo", fail)

    assert f"{host}:1" in str(unreachable(TcpAddress(host, 1)))


def test_a_resolver_that_hangs_costs_the_patience_and_no_more(monkeypatch):
    released = threading.Event()
    monkeypatch.setattr(wire.socket, "getaddrinfo", lambda *_args, **_more: released.wait(30))
    try:
        assert "no answer" in str(unreachable(TcpAddress("slow.test", 1), patience=0.05))
    finally:
        released.set()


def test_the_second_address_of_a_name_is_tried(monkeypatch):
    with serving(echo) as server, socket.create_server(("127.0.0.1", 0)) as closed:
        dead = closed.getsockname()
        closed.close()
        found = [(socket.AF_INET, 1, 6, "", dead), (socket.AF_INET, 1, 6, "", server.address)]
        monkeypatch.setattr(wire.socket, "getaddrinfo", lambda *_args, **_more: found)

        async def reach():
            async with await connect(TcpAddress("two.test", 1), 5) as connected:
                return connected.peer

        assert asyncio.run(reach()) == server.forward


def test_a_peer_that_never_stops_talking_is_cut_off():
    def talk(connection):
        while True:
            connection.sendall(bytes(65536))

    async def listen(server):
        async with await connect(local(server), 5) as connected:
            while True:
                await connected.receive()

    with serving(talk) as server, pytest.raises(TooMuch):
        asyncio.run(listen(server))
