"""Supervisors that end with the test, and free ports."""

import socket

import pytest

from tests.unit.supervisor.harness import FAKE_WORKER, Supervisor


@pytest.fixture
def supervise(tmp_path):
    """Start supervisors that end with the test."""
    started = []

    def start(settings, worker=FAKE_WORKER, **environment):
        directory = tmp_path / str(len(started))
        directory.mkdir()
        started.append(Supervisor(directory, settings, worker, **environment))
        return started[-1]

    yield start

    for one in started:
        one.close()


@pytest.fixture
def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
