import dataclasses
import os
import socket
import subprocess
import sys

import pytest

from pqproxy.checking.findings import Level
from pqproxy.checking.listeners import check_listeners
from pqproxy.checking.subject import Running


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


def test_a_port_of_another_program_is_a_failure_that_names_it(place, taken):
    finding = listener(place, taken)

    assert finding.level is Level.FAILURE
    assert f"in use by process {os.getpid()} (" in finding.message


def test_a_port_of_the_instance_that_runs_is_ours(place, taken):
    finding = listener(place, taken, Running({"pid": os.getpid()}, {}))

    assert finding.level is Level.GOOD
    assert "is ours" in finding.message


def test_an_instance_that_cannot_be_asked_is_known_by_its_command(place, free_port):
    """Without a control listener it says nothing of itself."""
    program = (
        "import socket, sys; s = socket.create_server(('127.0.0.1', int(sys.argv[2])));"
        "print('up', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, "/usr/bin/pqproxy", str(free_port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        finding = listener(place, f"127.0.0.1:{free_port}")
        process.stdin.close()

    assert finding.level is Level.GOOD
    assert f"process {process.pid}" in finding.message


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
