"""How an end on one side looks on the other."""

import os
import signal
import socket

import pytest

from tests.support.plain_server import echo, reset, serving
from tests.support.waiting import wait_until


@pytest.fixture
def connect():
    opened = []

    def open_connection(address):
        connection = socket.create_connection(address, timeout=20)
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        connection.close()


def read_to_end(connection):
    data = bytearray()
    while chunk := connection.recv(1 << 16):
        data += chunk
    return bytes(data)


def test_a_client_that_half_closes_gets_the_whole_answer(standing, connect):
    """A FIN is forwarded as a FIN, and the other direction lives on."""

    def answer_at_the_end(connection):
        question = read_to_end(connection)
        connection.sendall(question[::-1] * 1000)

    with standing.serving(answer_at_the_end):
        connection = connect(standing.address)
        connection.sendall(b"question")
        connection.shutdown(socket.SHUT_WR)

        assert read_to_end(connection) == b"noitseuq" * 1000
    assert standing.ingress.wait_for("connection")[0]["end_reason"] == "finished"


def test_a_server_that_half_closes_still_hears_the_client(standing, connect):
    heard = []

    def close_first(connection):
        connection.sendall(b"bye")
        connection.shutdown(socket.SHUT_WR)
        heard.append(read_to_end(connection))

    with standing.serving(close_first):
        connection = connect(standing.address)
        assert read_to_end(connection) == b"bye"

        connection.sendall(b"still here")
        connection.close()

        wait_until(lambda: heard, "the server hears the rest")
    assert heard == [b"still here"]


def test_a_client_that_resets_resets_the_server(standing, connect):
    ends = []

    def note_the_end(connection):
        connection.sendall(connection.recv(100))
        try:
            read_to_end(connection)
            ends.append("fin")
        except ConnectionResetError:
            ends.append("reset")

    with standing.serving(note_the_end):
        connection = connect(standing.address)
        connection.sendall(b"hi")
        assert connection.recv(100) == b"hi"

        reset(connection)

        wait_until(lambda: ends, "the server sees the end")
    assert ends == ["reset"]
    for sidecar in standing.sidecars:  # a cancelled chat reads like no fault, anywhere
        line = sidecar.wait_for("connection")[0]
        assert line["end_reason"] == "client_left"
        assert line["level"] == "info"


def test_a_server_that_resets_resets_the_client(standing, connect):
    def slam(connection):
        connection.sendall(connection.recv(100))
        connection.recv(100)
        reset(connection)

    with standing.serving(slam):
        connection = connect(standing.address)
        connection.sendall(b"hi")
        assert connection.recv(100) == b"hi"

        connection.sendall(b"now")

        with pytest.raises(ConnectionResetError):
            read_to_end(connection)
    assert standing.ingress.wait_for("connection")[0]["end_reason"] == "upstream_left"


def test_a_sidecar_that_dies_in_between_is_no_clean_end(sidecars, connect):
    """FIN without close_notify is truncation: the client must not take it for the whole answer."""
    with serving(echo) as server:
        pair = sidecars.start_pair(server.forward)
        connection = connect(pair.address)
        connection.sendall(b"hi")
        assert connection.recv(100) == b"hi"

        pair.ingress.process.kill()

        with pytest.raises(ConnectionResetError):
            read_to_end(connection)
        pair.ingress.process.wait()


def test_no_socket_is_left_after_any_end(standing, connect):
    with standing.serving(echo):
        ends = (socket.socket.close, reset, lambda one: one.shutdown(socket.SHUT_WR))
        for end in ends * 5:
            connection = connect(standing.address)
            connection.sendall(b"hi")
            assert connection.recv(100) == b"hi"
            end(connection)

        for sidecar in standing.sidecars:
            sidecar.wait_for("connection", 15)
            assert sidecar.close_waits() == []


@pytest.mark.parametrize("killed", ["egress", "ingress"])
def test_a_worker_that_dies_ends_no_answer_cleanly(sidecars, connect, killed):
    """The kernel closes its sockets; a FIN would make half an answer a whole one."""
    with serving(echo) as server:
        pair = sidecars.start_pair(server.forward)
        connection = connect(pair.address)
        connection.sendall(b"hi")
        assert connection.recv(100) == b"hi"

        os.kill(getattr(pair, killed).worker, signal.SIGKILL)

        with pytest.raises(ConnectionResetError):
            connection.recv(100)
        wait_until(lambda: pair.ingress.probe("/readyz") == 200, "replaced", 20)
