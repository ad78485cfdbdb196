"""A service manager played by hand: its notify socket, its sockets from 3 on; and its units."""

import json
import os
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support.plain_server import echo, serving
from tests.support.processes import LISTEN, family, tcp_sockets
from tests.support.sidecars import free_port, ingress

UNITS = Path(__file__).parents[2] / "config" / "systemd"

# Becomes the real command line, with the descriptors in the places where a manager puts them.
LAUNCH = """
import os, sys
sockets, command = eval(sys.argv[1]), sys.argv[2:]
for at, descriptor in enumerate(sockets):
    os.dup2(descriptor, 3 + at, inheritable=True)
os.environ["LISTEN_PID"] = os.environ["WATCHDOG_PID"] = str(os.getpid())
os.environ["LISTEN_FDS"] = str(len(sockets))
os.execv(sys.executable, [sys.executable, "-P", "-m", "pqproxy", *command])
"""


@contextmanager
def managed(config, passed=(), **environ):
    """A sidecar whose parent is a service manager."""
    descriptors = [one.fileno() for one in passed]
    assert not set(descriptors) & set(range(3, 3 + len(descriptors)))  # the copies would collide
    process = subprocess.Popen(
        [sys.executable, "-c", LAUNCH, str(descriptors), "-c", str(config)],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environ},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)
        process.stderr.close()


@pytest.fixture
def manager(tmp_path):
    """The socket behind NOTIFY_SOCKET."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(20)
        yield manager


def told(manager, wanted):
    """Skip to the message that holds an assignment, and return all that was said until then."""
    said = []
    while wanted not in said:
        said += manager.recv(4096).decode().split("\n")
    return said


@pytest.fixture
def write(tmp_path, certificates):
    def write(listen, forward, **more):
        path = tmp_path / "proxy.yaml"
        path.write_text(json.dumps(ingress(certificates, listen, forward) | more))
        return path

    return write


def test_a_manager_hears_of_the_start_of_life_and_of_the_end(manager, write):
    config = write(f"127.0.0.1:{free_port()}", "127.0.0.1:9")
    environ = {"NOTIFY_SOCKET": manager.getsockname(), "WATCHDOG_USEC": "200000"}
    with managed(config, **environ) as sidecar:
        assert "STATUS=serving llm" in told(manager, "READY=1") + told(manager, "WATCHDOG=1")
        assert "STOPPING=1" not in told(manager, "WATCHDOG=1")
        environments = [Path(f"/proc/{pid}/environ") for pid in family(sidecar.pid)[1:]]
        assert not any(b"NOTIFY_SOCKET" in one.read_bytes() for one in environments)

        sidecar.terminate()

        told(manager, "STOPPING=1")
        assert sidecar.wait(10) == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_a_passed_socket_is_served_and_nothing_else_is_bound(manager, write, workers):
    with serving(echo) as server, socket.create_server(("127.0.0.1", 0)) as passed:
        port = passed.getsockname()[1]
        config = write("127.0.0.1:1", server.forward, workers=workers)
        environ = {"NOTIFY_SOCKET": manager.getsockname(), "LISTEN_FDNAMES": "llm"}
        with managed(config, [passed], **environ) as sidecar:
            told(manager, "READY=1")

            listened = tcp_sockets(family(sidecar.pid), LISTEN)
            document = json.loads(config.read_text())
            admin = (document[name]["listen"] for name in ("health", "control"))
            ports = {int(local.rpartition(":")[2], 16) for local, _ in listened}
            assert ports == {port, *(int(listen.rpartition(":")[2]) for listen in admin)}
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(b"GET / HTTP/1.1\r\n\r\n")
                assert client.recv(100)[:1] == b"\x15", "an alert: somebody speaks TLS there"
            sidecar.terminate()
            assert sidecar.wait(10) == 0


def test_a_passed_socket_is_found_by_its_address(manager, write):
    with socket.create_server(("127.0.0.1", 0)) as passed:
        config = write(f"127.0.0.1:{passed.getsockname()[1]}", "127.0.0.1:9")
        environ = {"NOTIFY_SOCKET": manager.getsockname(), "LISTEN_FDNAMES": "pqproxy.socket"}
        with managed(config, [passed], **environ):
            told(manager, "READY=1")


def test_a_passed_socket_that_no_listener_takes_is_named(write):
    with socket.create_server(("127.0.0.1", 0)) as passed:
        where = f"127.0.0.1:{passed.getsockname()[1]}"
        config = write(f"127.0.0.1:{free_port()}", "127.0.0.1:9")
        with managed(config, [passed], LISTEN_FDNAMES="web") as sidecar:
            _, said = sidecar.communicate(timeout=20)

    assert sidecar.returncode == 1
    assert f"pqproxy: error: no listener takes the socket web at {where}" in said
    assert "hint: give FileDescriptorName=" in said


def test_the_units_are_good(tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on PATH")
    for unit in UNITS.iterdir():
        shutil.copy(unit, tmp_path)

    ended = subprocess.run(
        ["systemd-analyze", "verify", *(tmp_path / unit.name for unit in UNITS.iterdir())],
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert ended.returncode == 0, ended.stderr
    ours = [line for line in ended.stderr.splitlines() if "pqproxy" in line]
    assert ours == []
