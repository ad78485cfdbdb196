"""SIGTERM: stop accepting, finish what runs, cut what does not end, and say how it went."""

import signal
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest

from tests.support.plain_server import echo, serving
from tests.support.sidecars import Pair, free_port, ingress
from tests.support.waiting import wait_until

DRAINED, FORCED = 0, 4


@pytest.fixture
def pair(sidecars):
    with serving(echo) as server:
        yield sidecars.start_pair(server.forward)


@pytest.fixture
def alone(standing, sidecars):
    """A pair of which the egress may be ended."""
    with standing.serving(echo):
        yield Pair(sidecars.start_egress(standing.ingress.listen), standing.ingress)


def exchange(connection):
    connection.sendall(b"hi")
    return connection.recv(100)


def refuses(address):
    try:
        socket.create_connection(address, timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_an_ingress_finishes_a_connection_under_way(pair):
    finishes_what_is_under_way(pair, pair.ingress)


def test_an_egress_finishes_a_connection_under_way(alone):
    finishes_what_is_under_way(alone, alone.egress)


def finishes_what_is_under_way(pair, sidecar):
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


def test_with_nothing_under_way_it_ends_at_once(sidecars):
    front = sidecars.start_ingress("127.0.0.1:9")
    family = front.family()

    assert front.stop(seconds=2) == DRAINED
    assert refuses(front.address)
    assert len(family) > 1, "there was no worker"


def test_ctrl_c_drains_too(alone):
    assert alone.egress.stop(signal.SIGINT, seconds=2) == DRAINED


@pytest.fixture
def controlled(sidecars, certificates, tmp_path):
    """Starts an ingress with a control listener and two workers, and connects through it."""

    def start(timeout, delay="0s"):
        server = running.enter_context(serving(echo))
        listen = f"127.0.0.1:{free_port()}"
        document = ingress(certificates, listen, server.forward) | {
            "workers": 2,
            "control": {"listen": f"unix:{tmp_path}/control.sock"},
            "drain": {"timeout": timeout, "delay": delay},
        }
        sidecar = sidecars.start("ingress", document).wait_until_ready()
        beside = sidecars.start_egress(listen)
        client = running.enter_context(socket.create_connection(beside.address, timeout=20))
        assert exchange(client) == b"hi"
        return sidecar, client

    with ExitStack() as running:
        yield start


class Command:
    """`pqproxy drain` at work."""

    def __init__(self, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "pqproxy", "drain", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def line(self):
        return self.process.stdout.readline()

    def end(self):
        said, _ = self.process.communicate(timeout=20)
        return self.process.returncode, said


def test_a_drain_shows_how_far_it_is_and_ends_when_the_stream_did(controlled):
    sidecar, client = controlled("1000s")
    command = Command("--wait", "-c", str(sidecar.config))

    assert command.line().startswith("draining: 1 connection open, the oldest for ")
    assert sidecar.probe("/readyz") == 503
    assert refuses(sidecar.address)
    assert exchange(client) == b"hi"
    client.close()

    assert command.end() == (DRAINED, "drained: 1 connection finished, nothing was reset\n")
    assert sidecar.process.wait(10) == DRAINED


def test_a_drain_that_is_forced_says_so_with_its_exit_code(controlled):
    sidecar, client = controlled("500ms")
    code, said = Command("--wait", "--control", sidecar.document["control"]["listen"]).end()

    assert code == FORCED
    assert said.endswith("drain was forced: 1 connection reset, 0 finished\n")
    assert sidecar.process.wait(10) == FORCED
    with pytest.raises(ConnectionResetError):
        client.recv(100)


def test_a_drain_accepts_for_its_delay_and_a_signal_ends_that(controlled):
    sidecar, client = controlled("1000s", delay="1000s")
    code, said = Command("-c", str(sidecar.config)).end()

    assert code == DRAINED
    assert "new ones are accepted for another 16 min" in said
    assert sidecar.probe("/readyz") == 503
    assert not refuses(sidecar.address)

    sidecar.process.send_signal(signal.SIGTERM)

    wait_until(lambda: refuses(sidecar.address), "it accepts no more")
    assert exchange(client) == b"hi"
    client.close()
    assert sidecar.process.wait(10) == DRAINED


def test_who_asks_for_drained_is_answered_when_the_last_stream_ended(controlled):
    """The preStop hook of the model server: it must not be stopped before its answers are out."""
    sidecar, client = controlled("1000s")
    answers = []
    hook = threading.Thread(target=lambda: answers.append(sidecar.probe("/drained", 20)))
    hook.start()
    wait_until(lambda: refuses(sidecar.address), "it accepts no more")
    assert exchange(client) == b"hi"
    assert answers == []

    client.close()
    hook.join(20)

    assert answers == [200]
    assert sidecar.process.wait(10) == DRAINED
