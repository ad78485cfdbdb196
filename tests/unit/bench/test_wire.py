"""Against the kernel itself: a wrong offset would read another counter, and look right."""

import socket
import struct

import pytest

from bench.wire import Connection, carried, counts, messages, parse


@pytest.fixture
def joined():
    """A connection on the loopback: the client's end, the server's, and the server's port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server, _ = listener.accept()
            with server:
                yield client, server, port


def test_both_directions_of_a_connection_are_counted(joined):
    client, server, port = joined
    local = client.getsockname()[1]
    before = counts(port)

    client.sendall(bytes(5000))
    server.recv(5000, socket.MSG_WAITALL)
    server.sendall(bytes(300))  # acknowledges what came
    client.recv(300, socket.MSG_WAITALL)

    assert set(before) == {local}
    assert carried(before, counts(port)) == pytest.approx(5300, abs=2)


def test_only_connections_to_that_port_are_counted(joined):
    """The server's end of the same connection would count everything twice."""
    client, _, port = joined

    assert list(counts(port)) == [client.getsockname()[1]]


def test_what_was_closed_in_between_does_not_count():
    assert carried({1: 100, 2: 50}, {1: 130, 3: 7}) == 37


def test_messages_are_cut_at_their_lengths_which_are_padded_to_four():
    one = struct.pack("=IHHII", 18, 20, 0, 1, 0) + b"ab" + b"\0\0"
    two = struct.pack("=IHHII", 16, 3, 0, 1, 0)

    assert list(messages(one + two)) == [(20, b"ab"), (3, b"")]


def test_a_connection_without_tcp_info_has_carried_nothing():
    body = struct.pack(">4xHH64x", 11, 22) + struct.pack("=HH", 5, 7) + b"x\0\0\0"

    assert parse(body) == Connection(11, 22, 0)
