"""SIGTERM: stop accepting, finish what runs, cut what does not end, and say how it went."""

import signal
import socket

import pytest

from tests.support.plain_server import echo, serving
from tests.support.waiting import wait_until

DRAINED, FORCED = 0, 4


@pytest.fixture
def pair(sidecars):
    with serving(echo) as server:
        yield sidecars.start_pair(server.forward)


def exchange(connection):
    connection.sendall(b"hi")
    return connection.recv(100)


def refuses(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("which", ["ingress", "egress"])
def test_a_connection_under_way_is_finished(pair, which):
    sidecar = getattr(pair, which)
    with socket.create_connection(pair.address, timeout=20) as connection:
        assert exchange(connection) == b"hi"

        sidecar.process.send_signal(signal.SIGTERM)
        wait_until(lambda: refuses(sidecar.address), "it accepts no more")

        assert exchange(connection) == b"hi"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b""

    assert sidecar.process.wait(10) == DRAINED


def test_what_does_not_end_in_time_is_reset_and_the_exit_code_says_so(pair):
    with socket.create_connection(pair.address, timeout=20) as connection:
        assert exchange(connection) == b"hi"

        pair.ingress.process.send_signal(signal.SIGTERM)

        with pytest.raises(ConnectionResetError):
            connection.recv(100)
        assert pair.ingress.process.wait(10) == FORCED
    assert pair.ingress.lines("connection")[-1]["end_reason"] == "drained"


def test_with_nothing_under_way_it_ends_at_once(pair):
    family = pair.ingress.family()

    assert pair.ingress.stop(seconds=2) == DRAINED
    assert refuses(pair.ingress.address)
    assert len(family) > 1, "there was no worker"


def test_ctrl_c_drains_too(pair):
    assert pair.egress.stop(signal.SIGINT, seconds=2) == DRAINED
