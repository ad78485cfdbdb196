import os
import socket

import pytest

from pqproxy.supervisor.occupant import occupant_of


@pytest.mark.parametrize(
    ("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]
)
def test_the_process_that_listens_is_named(family, host):
    with socket.socket(family) as listening:
        listening.bind((host, 0))
        listening.listen()

        named = occupant_of(listening.getsockname()[1])

    assert named is not None
    assert named.pid == os.getpid()
    assert str(named) == f"process {os.getpid()} ({named.name})"


def test_a_port_that_nobody_listens_on_has_no_occupant(free_port):
    assert occupant_of(free_port) is None
