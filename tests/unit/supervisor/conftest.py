"""Supervisors that end with the test, and free ports."""

import socket

import pytest

from pqproxy.config.values import TcpAddress
from tests.unit.supervisor.harness import FAKE_WORKER, Supervisor, settings


@pytest.fixture
def supervise(tmp_path):
    """Start supervisors that end with the test."""
    started = []

    def start(settings, worker=FAKE_WORKER, **changes):
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(Supervisor(directory, settings, worker, **changes))
        return started[-1]

    yield start

    for one in started:
        one.close()


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """One supervisor for the tests of a module that only read."""
    local = TcpAddress("127.0.0.1", 0)
    supervisor = Supervisor(tmp_path_factory.mktemp("idle"), settings(control=local))
    yield supervisor.ready()
    supervisor.close()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
