"""The rights of a worker, and that they are enough for what it does after it has started."""

import errno
import pickle
import socket
import subprocess
import sys

import pytest

from pqproxy.config.values import (
    Egress,
    Ingress,
    Log,
    Settings,
    TcpAddress,
    UnixAddress,
)
from pqproxy.landlock import PORTS_SINCE, landlock_abi
from pqproxy.proxy import confinement
from pqproxy.proxy.confinement import confine_worker, worker_confinement

needs_ports = pytest.mark.skipif(
    landlock_abi() < PORTS_SINCE,
    reason=f"ports need Landlock ABI {PORTS_SINCE}, here is {landlock_abi()}",
)


def settings(*upstreams, **more):
    ingress = Ingress("in", TcpAddress("", 8443), upstreams[0], (), None)
    egress = [
        Egress(f"e{at}", TcpAddress("", 9000 + at), (upstream,), (), "t", ("x",))
        for at, upstream in enumerate(upstreams[1:])
    ]
    return Settings((), (), (ingress,), tuple(egress), **more)


def test_the_ports_of_all_upstreams_may_be_reached_and_no_other():
    made = worker_confinement(
        settings(TcpAddress("127.0.0.1", 8000), TcpAddress("::1", 8443), UnixAddress("/run/m"))
    )

    assert made.connect == {8000, 8443}
    assert not made.bind
    assert not made.writable
    assert not made.sockets
    assert not made.abstract_sockets


def test_addresses_need_nothing_of_etc_and_names_need_the_name_service():
    literal = worker_confinement(settings(TcpAddress("127.0.0.1", 8000)))
    named = worker_confinement(settings(TcpAddress("llm.corp", 8000)))

    assert "/etc" not in literal.readable
    assert "/etc" in named.readable
    assert named.connect == {8000, 53}, "a long answer comes over TCP"


def test_liboqs_may_be_loaded_late(monkeypatch):
    """A reload may bring the first key that needs it."""
    monkeypatch.setenv("OQS_INSTALL_PATH", "/opt/liboqs")

    made = worker_confinement(settings(TcpAddress("127.0.0.1", 8000)))

    assert {"/opt/liboqs/lib", "/opt/liboqs/lib64"} <= set(made.readable)


def test_a_kernel_that_refuses_costs_a_warning_and_not_the_worker(monkeypatch, caplog):
    def refuse(_):
        raise OSError(errno.E2BIG, "too many layers")

    monkeypatch.setattr(confinement, "confine", refuse)

    confine_worker(settings(TcpAddress("127.0.0.1", 1)))

    assert "not confined by Landlock: the kernel refuses it" in caplog.text


def test_a_word_turns_it_off(monkeypatch):
    monkeypatch.setattr(confinement, "confine", lambda _: pytest.fail("confined"))

    confine_worker(settings(TcpAddress("127.0.0.1", 1), landlock=False, log=Log()))


# What a worker does late: each step prints the number of its error, 0 when it went well.
SCRIPT = """
import os, pickle, socket, sys, threading
from pqproxy.proxy.confinement import confine_worker
settings = pickle.loads(sys.stdin.buffer.read())
confine_worker(settings)
upstream = settings.egress[0].connect[0].port
other = int(sys.argv[2])
def late_import():
    import encodings.idna, xml.dom.minidom
def look_up():
    socket.getaddrinfo("localhost", 80)
def thread():
    threading.Thread(target=int).start()
def dial(port):
    socket.create_connection(("127.0.0.1", port)).close()
def bind():
    socket.create_server(("127.0.0.1", 0))
def attempt(step, *arguments):
    try:
        step(*arguments)
    except OSError as error:
        return error.errno
    return 0
print(attempt(late_import), attempt(look_up), attempt(thread), attempt(dial, upstream),
      attempt(dial, other), attempt(bind), attempt(open, sys.argv[1]), attempt(os.listdir, "/"),
      attempt(open, "/tmp/x" + str(os.getpid()), "w"))
"""


@needs_ports
def test_a_confined_worker_reaches_its_upstreams_and_little_else(tmp_path):
    key = tmp_path / "key.pem"
    key.write_text("secret")
    with (
        socket.create_server(("127.0.0.1", 0)) as upstream,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        made = settings(
            TcpAddress("model.internal", 8000), TcpAddress("127.0.0.1", upstream.getsockname()[1])
        )
        ended = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(key), str(other.getsockname()[1])],
            input=pickle.dumps(made),
            capture_output=True,
            timeout=20,
        )

    denied = str(errno.EACCES)
    assert ended.stdout.decode().split() == [*"0000", *[denied] * 5], ended.stderr
