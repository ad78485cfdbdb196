"""Sockets as a service manager passes them: descriptors from 3 on, in a process of its own."""

import os
import socket
import subprocess
import sys

import pytest

from pqproxy.config.values import TcpAddress, UnixAddress
from pqproxy.supervisor.activation import Activation, PassedSocket
from pqproxy.supervisor.errors import StartFailure


@pytest.fixture
def tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.fixture
def unix(tmp_path):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        yield server


def resolve(address):
    return [(socket.AF_INET, address.host)]


def address_of(server):
    return TcpAddress(*server.getsockname())


def test_a_socket_belongs_to_the_listener_of_its_name_wherever_it_listens(tcp):
    activation = Activation([PassedSocket("llm", tcp)])

    assert activation.take("llm", TcpAddress("", 1), resolve) == [tcp]
    assert activation.take("llm", address_of(tcp), resolve) == [], "it has been taken"
    activation.finish()


def test_several_sockets_of_one_name_belong_to_one_listener(tcp, unix):
    activation = Activation([PassedSocket("llm", tcp), PassedSocket("llm", unix)])

    assert activation.take("llm", TcpAddress("", 1), resolve) == [tcp, unix]


def test_a_socket_of_another_name_belongs_to_the_listener_at_its_address(tcp, unix):
    activation = Activation([PassedSocket("p.socket", tcp), PassedSocket("p.socket", unix)])

    assert activation.take("x", TcpAddress("127.0.0.1", 1), resolve) == []
    assert activation.take("x", TcpAddress("127.0.0.2", tcp.getsockname()[1]), resolve) == []
    assert activation.take("y", UnixAddress(unix.getsockname()), resolve) == [unix]
    assert activation.take("x", address_of(tcp), resolve) == [tcp]


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_a_listener_without_a_host_is_at_every_interface(host):
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as server:
        port = server.getsockname()[1]

        assert Activation([PassedSocket("", server)]).take("x", TcpAddress("", port), resolve) == [
            server
        ]


def test_a_socket_that_nobody_takes_is_named(tcp, unix):
    activation = Activation([PassedSocket("web", tcp), PassedSocket("app", unix)])

    with pytest.raises(StartFailure) as failure:
        activation.finish()

    assert f"web at {address_of(tcp)}" in str(failure.value)
    assert f"app at unix:{unix.getsockname()}" in str(failure.value)


@pytest.mark.parametrize(
    "environ",
    [{}, {"LISTEN_FDS": "1"}, {"LISTEN_FDS": "1", "LISTEN_PID": "1"}],
    ids=["nothing", "for nobody", "for another process"],
)
def test_what_is_not_for_us_is_left_alone(environ):
    Activation.from_environment(environ).finish()

    assert environ == {}


def test_a_count_that_is_no_number_is_an_error():
    with pytest.raises(StartFailure, match="LISTEN_FDS is 'x'"):
        Activation.from_environment({"LISTEN_FDS": "x", "LISTEN_PID": str(os.getpid())})


SCRIPT = """
import os, sys
from pqproxy.config.values import TcpAddress
from pqproxy.supervisor.activation import Activation
from pqproxy.supervisor.errors import StartFailure
os.dup2(int(sys.argv[1]), 3)
environ = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "LISTEN_FDNAMES": "llm"}
try:
    (taken,) = Activation.from_environment(environ).take("llm", TcpAddress("", 1), None)
    print(taken.getsockname()[1], os.get_inheritable(3), taken.getblocking(), environ)
except StartFailure as failure:
    print(failure)
"""


def passed(descriptor):
    command = [sys.executable, "-c", SCRIPT, str(descriptor)]
    ended = subprocess.run(
        command, pass_fds=[descriptor], capture_output=True, text=True, timeout=20
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def test_a_passed_socket_is_ours_and_not_our_childrens(tcp):
    assert passed(tcp.fileno()) == f"{tcp.getsockname()[1]} False False {{}}"


def test_a_connection_in_the_place_of_a_listener_is_refused():
    """Accept=yes passes those."""
    one, other = socket.socketpair()
    with one, other:
        assert passed(one.fileno()) == "the socket llm was passed and does not listen"


def test_a_file_in_the_place_of_a_socket_is_refused(tmp_path):
    with (tmp_path / "file").open("w") as file:
        found = passed(file.fileno())

    assert found.startswith("the socket llm was passed and is none: ")
