"""The floor must carry everything, or it would be lower than any floor."""

import socket
import threading

import pytest

from bench.floor import Relay
from bench.processes import free_port


@pytest.fixture
def through():
    """Both ends of a connection that goes through a relay."""
    entry = free_port()
    with socket.create_server(("127.0.0.1", 0)) as backend:
        relay = Relay([(entry, backend.getsockname()[1])])
        threading.Thread(target=relay.run, daemon=True).start()
        with socket.create_connection(("127.0.0.1", entry)) as client:
            server, _ = backend.accept()
            with server:
                yield client, server


def received(connection, count):
    found = bytearray()
    while len(found) < count and (data := connection.recv(65536)):
        found += data
    return bytes(found)


def test_more_than_any_buffer_holds_arrives_whole(through):
    client, server = through
    sent = bytes(range(256)) * (1 << 16)
    sender = threading.Thread(target=client.sendall, args=[sent])
    sender.start()

    assert received(server, len(sent)) == sent
    sender.join()


def test_an_end_of_one_direction_leaves_the_other_open(through):
    client, server = through
    client.sendall(b"asked")
    client.shutdown(socket.SHUT_WR)

    assert received(server, 100) == b"asked"
    server.sendall(b"answered")
    server.close()
    assert received(client, 100) == b"answered"
