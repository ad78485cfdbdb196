import os
import socket

import pytest

from pqproxy.checking import sockets
from pqproxy.checking.sockets import listening_inodes
from pqproxy.config.values import TcpAddress, UnixAddress


def inode(sock):
    return str(os.fstat(sock.fileno()).st_ino)


@pytest.mark.parametrize(
    ("family", "bound", "asked"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "127.0.0.1", "localhost"),
        (socket.AF_INET, "0.0.0.0", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1"),
    ],
)
def test_a_listener_is_seen_without_a_connection(family, bound, asked):
    with socket.socket(family) as listener:
        listener.bind((bound, 0))
        listener.listen()
        port = listener.getsockname()[1]

        assert inode(listener) in listening_inodes(TcpAddress(asked, port))

        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_listener_at_another_address_is_not_who_is_meant():
    with socket.create_server(("127.0.0.2", 0)) as listener:
        port = listener.getsockname()[1]

        assert listening_inodes(TcpAddress("127.0.0.1", port)) == set()


def test_a_socket_that_is_only_bound_listens_to_nobody():
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))

        assert listening_inodes(TcpAddress(*bound.getsockname())) == set()


def test_a_unix_socket_is_seen_by_its_path(tmp_path):
    path = str(tmp_path / "a b.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert listening_inodes(UnixAddress(path)) == set()

        listener.listen()
        assert listening_inodes(UnixAddress(path)) == {inode(listener)}

    assert listening_inodes(UnixAddress(path)) == set()


def test_without_tables_nobody_can_tell(monkeypatch, tmp_path):
    """On macOS, and where /proc is not mounted."""
    monkeypatch.setattr(sockets, "_TCP_TABLES", {socket.AF_INET: str(tmp_path / "none")})

    assert listening_inodes(TcpAddress("127.0.0.1", 9)) is None
