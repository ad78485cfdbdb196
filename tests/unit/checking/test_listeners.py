import dataclasses
import errno
import os
import socket
import subprocess
import sys

import pytest

from pqproxy.checking import listeners
from pqproxy.checking.findings import Level
from pqproxy.checking.listeners import check_listeners
from pqproxy.checking.subject import Running
from pqproxy.supervisor.occupant import Occupant


def listener(place, address, running=None):
    """What is found of one listener."""
    subject = dataclasses.replace(place.subject(listen=str(address)), running=running)
    (finding,) = check_listeners(subject)
    return finding


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def test_a_free_port_is_good_and_stays_free(place, free_port):
    address = f"127.0.0.1:{free_port}"

    assert listener(place, address).level is Level.GOOD
    with socket.create_server(("127.0.0.1", free_port)):
        pass


def test_every_interface_is_tried_in_both_families(place, free_port):
    with socket.create_server(("::1", free_port), family=socket.AF_INET6):
        assert listener(place, f":{free_port}").level is Level.FAILURE


def test_a_kernel_without_ipv6_is_no_failure_of_every_interface(place, free_port, monkeypatch):
    class Socket(socket.socket):
        def __init__(self, family=socket.AF_INET, *arguments):
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
            super().__init__(family, *arguments)

    monkeypatch.setattr(listeners.socket, "socket", Socket)

    assert listener(place, f":{free_port}").level is Level.GOOD


def test_a_port_of_another_program_is_a_failure_that_names_it(place, taken):
    finding = listener(place, taken)

    assert finding.level is Level.FAILURE
    assert f"in use by process {os.getpid()} (" in finding.message


def test_a_port_of_the_instance_that_runs_is_ours(place, taken):
    """It says so itself: nobody but root may see its sockets, for it hides its memory."""
    entry = {"name": "llm", "listen": taken}
    running = Running({"pid": 7}, {"ingress": [entry], "egress": [], "health": None})

    finding = listener(place, taken, running)

    assert finding.level is Level.GOOD
    assert finding.message.endswith("is ours: pqproxy runs as process 7")


def test_a_port_that_the_running_instance_does_not_have_is_not_ours(place, taken):
    assert listener(place, taken, Running({"pid": 7}, {})).level is Level.FAILURE


@pytest.fixture
def instance(free_port):
    """Something that looks like a running pqproxy, and its port."""
    program = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[2])));"
        "print('up', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, "/usr/bin/pqproxy", str(free_port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        yield process.pid, f"127.0.0.1:{free_port}"
        process.stdin.close()


def test_an_instance_that_cannot_be_asked_is_known_by_its_command(place, instance):
    """Without a control listener it says nothing of itself: it may run from another file."""
    pid, address = instance

    finding = listener(place, address)

    assert finding.level is Level.WARNING
    assert f"a pqproxy that runs, process {pid} (" in finding.message
    assert "control" in finding.hint


def test_a_port_of_an_instance_that_runs_from_another_file_is_a_failure(place, instance):
    """Ours was asked, and is another process: a start from this file would not get the port."""
    finding = listener(place, instance[1], Running({"pid": 7}, {}))

    assert finding.level is Level.FAILURE
    assert "from another file" in finding.message


def test_a_port_that_ours_holds_under_another_name_is_good(place, instance):
    assert listener(place, instance[1], Running({"pid": instance[0]}, {})).level is Level.GOOD


@pytest.fixture
def hidden(monkeypatch):
    """Sockets of others are not to be seen, as for every user but root."""
    monkeypatch.setattr(listeners, "holders_of", lambda inodes: iter(()))


@pytest.mark.usefixtures("hidden")
def test_a_port_of_nobody_that_can_be_seen_is_a_doubt_where_an_instance_runs(place, instance):
    """It may be that one: a failure would be wrong, and all is well would be too."""
    finding = listener(place, instance[1])

    assert finding.level is Level.WARNING
    assert "control" in finding.hint


@pytest.mark.usefixtures("hidden")
def test_a_port_of_nobody_that_can_be_seen_is_a_failure_where_none_runs(place, taken, monkeypatch):
    monkeypatch.setattr(listeners, "pqproxy_processes", lambda: iter(()))

    assert listener(place, taken).level is Level.FAILURE


def test_a_port_that_the_service_manager_holds_may_be_meant_for_us(place, taken, monkeypatch):
    """Socket activation: it was bound before pqproxy is started."""
    manager = Occupant(1, "systemd")
    monkeypatch.setattr(listeners, "holders_of", lambda inodes: iter((manager,)))

    assert listener(place, taken).level is Level.WARNING


@pytest.mark.parametrize("address", ["192.0.2.1:9", "no.such.name.invalid:9"])
def test_an_address_of_another_machine_is_a_failure(place, address):
    finding = listener(place, address)

    assert finding.level is Level.FAILURE
    assert "addresses" in finding.hint


def test_a_unix_socket_needs_its_directory(place):
    assert listener(place, "unix:gone/x.sock").message.endswith(
        f"no directory {place.directory}/gone"
    )
    assert listener(place, "unix:x.sock").level is Level.GOOD


def test_a_file_in_the_place_of_a_unix_socket_is_a_failure(place):
    place.write("x.sock", b"")

    assert "is not a socket" in listener(place, "unix:x.sock").message


def test_a_unix_socket_that_is_listened_at_is_not_connected_to(place):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place.directory / "x.sock"))
        server.listen()
        server.setblocking(False)

        assert listener(place, "unix:x.sock").level is Level.FAILURE
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_socket_that_a_dead_process_left_is_no_obstacle(place):
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(place.directory / "x.sock"))

    assert listener(place, "unix:x.sock").level is Level.GOOD


def test_health_and_control_are_looked_at_too(place):
    subject = place.whole(health={"listen": "127.0.0.1:0"}, control={"listen": "unix:c.sock"})

    titles = [finding.message.partition(":")[0] for finding in check_listeners(subject)]

    assert titles == ["ingress llm", "health", "control"]
