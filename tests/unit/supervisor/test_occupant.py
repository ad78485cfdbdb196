import os
import socket
import subprocess
import sys

import pytest

from pqproxy.supervisor.occupant import occupant_of, pqproxy_processes


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


def test_whoever_runs_as_pqproxy_is_known_by_the_command():
    """Also where its sockets may not be seen."""
    program = "import sys; print('up', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, "/opt/bin/pqproxy"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        found = {occupant.pid for occupant in pqproxy_processes()}
        process.stdin.close()

    assert process.pid in found
    assert os.getpid() not in found


@pytest.mark.parametrize("name", [b"\x1b[2J\nx", b"\xff\xfe"], ids=["escapes", "no text"])
def test_what_another_process_calls_itself_drives_no_terminal_and_fails_nothing(name):
    """Every user of the machine may run something that looks like pqproxy."""
    program = (
        f"import ctypes, sys; ctypes.CDLL(None).prctl(15, {name!r});"
        " print('up', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, "/opt/bin/pqproxy"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        shown = {occupant.pid: str(occupant) for occupant in pqproxy_processes()}
        process.stdin.close()

    assert shown[process.pid].isascii()
    assert shown[process.pid].isprintable()
