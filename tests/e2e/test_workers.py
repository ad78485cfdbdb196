"""Several workers behind one port: their shares, and what the death of one does to the others."""

import os
import signal
import socket
import threading
from contextlib import ExitStack

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pqproxy.config.values import UnixAddress
from pqproxy.control.client import ControlClient
from tests.support.plain_server import echo, serving
from tests.support.processes import exists
from tests.support.sidecars import egress, free_port, ingress
from tests.support.tunnels import meets_both
from tests.support.waiting import wait_until

MANY = {"connections": 10_000, "handshakes": 10_000, "handshakes_per_source": 10_000}


@pytest.fixture
def start(sidecars, certificates, tmp_path):
    """Starts an ingress of several workers, with a control listener."""

    def start(workers, listen, forward="127.0.0.1:9", **more):
        document = ingress(certificates, listen, forward, limits=MANY, **more) | {
            "workers": workers,
            "control": {"listen": f"unix:{tmp_path}/control.sock"},
        }
        return sidecars.start("ingress", document).wait_until_ready()

    return start


def status(sidecar):
    """Asked without a process of its own, since it is asked often."""
    path = sidecar.document["control"]["listen"].removeprefix("unix:")
    return ControlClient(UnixAddress(path)).get("/status")


def connect(address):
    client = socket.socket(socket.AF_UNIX if isinstance(address, str) else socket.AF_INET)
    client.settimeout(20)
    client.connect(address)
    return client


def shares(sidecar, count):
    """How many connections each worker holds, once all of `count` are accepted."""

    def held():
        return [worker["connections_active"] for worker in status(sidecar)["workers"]]

    wait_until(lambda: sum(held()) == count, "all are accepted", 20, 0.05)
    return held()


@pytest.mark.parametrize("workers", [2, 4])
def test_each_worker_carries_its_share_of_many_connections(start, workers):
    sidecar = start(workers, f"127.0.0.1:{free_port()}")
    fair = 2000 / workers
    with ExitStack() as opened:
        for _ in range(2000):
            opened.enter_context(connect(sidecar.address))
        held = shares(sidecar, 2000)

    assert len(held) == workers
    assert all(0.8 * fair < count < 1.2 * fair for count in held), held


def test_workers_share_a_unix_socket(start, tmp_path):
    sidecar = start(2, f"unix:{tmp_path}/llm.sock")
    with ExitStack() as opened:
        for _ in range(400):
            opened.enter_context(connect(sidecar.address))
        held = shares(sidecar, 400)

    assert all(140 < count < 260 for count in held), held


class Stream(threading.Thread):
    """Exchanges bytes through the sidecars until told to stop, or until it is cut."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.connection = connect(address)
        self.exchanges, self.cut, self.over = 0, False, threading.Event()
        self.exchange()
        self.start()

    def exchange(self):
        self.connection.sendall(b"token")
        assert self.connection.recv(100) == b"token"
        self.exchanges += 1

    def run(self):
        try:
            while not self.over.wait(0.01):
                self.exchange()
        except (OSError, AssertionError):
            self.cut = True

    def end(self):
        self.over.set()
        self.join()
        self.connection.close()


def counted(sidecar):
    """Every sample that may only rise, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(sidecar.metrics())
        for sample in family.samples
        if family.type in ("counter", "histogram") and not sample.name.endswith("_created")
    }


def has_risen(before, after):
    assert before.keys() <= after.keys()
    assert {name for name, value in before.items() if after[name] < value} == set()


@pytest.fixture
def loaded(start, sidecars, certificates):
    """Twelve streams through an egress and an ingress of two workers."""
    with serving(echo) as server, ExitStack() as streams:
        front = start(2, f"127.0.0.1:{free_port()}", server.forward)
        document = egress(certificates, f"127.0.0.1:{free_port()}", front.listen)
        beside = meets_both(sidecars, document)
        running = [Stream(beside.address) for _ in range(12)]
        for stream in running:
            streams.callback(stream.end)
        yield front, beside, running


def test_a_killed_worker_takes_its_own_streams_and_nothing_else(loaded):
    front, beside, streams = loaded
    victim, survivor = front.workers
    before = counted(front)

    os.kill(victim, signal.SIGKILL)
    beside.wait_for("tunnel_closed")  # who comes before that is known goes with it
    late = [Stream(beside.address) for _ in range(20)]
    wait_until(lambda: status(front)["worker_restarts"] == 1, "replaced")
    assert front.probe("/readyz") == 200, "one of two serves, and nobody is refused"
    wait_until(lambda: status(front)["ready"], "both again")

    left = [stream for stream in streams if not stream.cut]
    assert 0 < len(left) < len(streams)
    marks = [stream.exchanges for stream in left]
    wait_until(
        lambda: all(s.exchanges > mark for s, mark in zip(left, marks, strict=True)), "they go on"
    )
    assert not any(stream.cut for stream in late)
    assert not any("refused" in line.get("detail", "") for line in beside.lines("connection"))
    assert survivor in front.workers
    assert victim not in front.workers
    has_risen(before, counted(front))

    for stream in (*streams, *late):
        stream.end()
    wait_until(
        lambda: {worker["connections_active"] for worker in status(front)["workers"]} == {0},
        "none is counted as open for ever",
    )
    has_risen(before, counted(front))
    assert "was killed by signal 9, SIGKILL" in front.log()


def test_no_worker_outlives_its_supervisor(start):
    sidecar = start(2, f"127.0.0.1:{free_port()}")
    workers = sidecar.workers
    assert len(workers) == 2

    sidecar.kill()

    wait_until(lambda: not any(map(exists, workers)), "no orphan")
