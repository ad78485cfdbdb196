import socket
from contextlib import closing, suppress

import pytest

from pqproxy.proxy.socket_options import (
    QUEUE,
    accepted,
    configure,
    finish_on_close,
    reset_on_close,
    socket_to_connect,
)


def test_tcp_sends_at_once_and_finds_dead_peers_after_a_minute():
    with socket.socket() as sock:
        configure(sock)

        assert not sock.getblocking()
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3


def test_little_waits_in_the_kernel_for_who_does_not_read(world):
    """Else it is four megabytes a client, and all TCP of the machine suffers from a few hundred."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        configure(server)
        with socket.create_connection(server.getsockname()) as _:
            ours, _ = server.accept()
            with ours:
                ours.setblocking(False)
                taken = 0
                with suppress(BlockingIOError):
                    while True:
                        taken += ours.send(bytes(65536))

    assert QUEUE <= taken < 8 * QUEUE


def test_a_socket_to_connect_is_configured_from_the_start():
    with socket.socket() as usual, closing(socket_to_connect(socket.AF_INET)) as sock:
        configure(usual)
        assert not sock.getblocking()
        for level, option in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
            (socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT),
        ):
            assert sock.getsockopt(level, option) == usual.getsockopt(level, option)


@pytest.mark.parametrize("inherits", [True, False])
def test_an_accepted_socket_has_all_that_its_listener_was_given(monkeypatch, inherits):
    """From the kernel, or by hand where that is not Linux."""
    if not inherits:
        monkeypatch.setattr("pqproxy.proxy.socket_options._INHERITS", False)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        if inherits:
            configure(listener)
        listener.setblocking(False)
        client.connect(listener.getsockname())
        sock, address = accepted(listener, listener.family)
        assert address == client.getsockname()
        with closing(sock):
            assert not sock.getblocking()
            assert (sock.family, sock.type) == (socket.AF_INET, socket.SOCK_STREAM)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 30
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL) == 10
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == 3


def test_a_unix_socket_connects_without_options():
    with closing(socket_to_connect(socket.AF_UNIX)) as sock:
        assert not sock.getblocking()


def test_a_unix_socket_has_none_of_those_options():
    with socket.socket(socket.AF_UNIX) as sock:
        configure(sock)

        assert not sock.getblocking()


def test_reset_on_close_really_resets(world):
    ours, peer = world.tcp_pair()
    reset_on_close(ours)
    ours.close()
    seen = []

    def tried():
        try:
            peer.recv(1)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            seen.append("reset")
        return True

    world.until(tried)
    assert seen == ["reset"]


def test_finish_on_close_takes_that_back(world):
    ours, peer = world.tcp_pair()
    reset_on_close(ours)
    finish_on_close(ours)
    ours.close()

    assert world.read_all(peer, 0) == b""
    peer.setblocking(True)
    assert peer.recv(1) == b""
