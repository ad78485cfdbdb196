"""Confined by the kernel: sidecars still do their work, and say how far they are confined."""

import socket
from pathlib import Path

import pytest

from pqproxy.landlock import landlock_abi
from tests.support.plain_server import echo, serving
from tests.support.sidecars import egress, free_port, ingress
from tests.support.waiting import wait_until

pytestmark = pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no Landlock")


def greet(connection):
    connection.recv(100)
    connection.sendall(b"welcome")


def renounced(pid):
    """Whether a process may gain no privileges any more, which confining itself demands."""
    return "NoNewPrivs:\t1" in Path(f"/proc/{pid}/status").read_text()


def round_trip(address):
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(b"hello")
        return client.recv(100)


def test_a_confined_pair_finds_its_upstreams_by_name(sidecars):
    """The name service is loaded and read when the first connection comes, after confinement."""
    with serving(echo) as server:
        front = sidecars.start_ingress(f"localhost:{server.forward.rpartition(':')[2]}")
        beside = sidecars.start_egress(f"localhost:{front.address[1]}")

        assert round_trip(beside.address) == b"hello"
    for sidecar in (front, beside):
        assert all(renounced(pid) for pid in sidecar.family())
        assert f"confined by Landlock (ABI {landlock_abi()})" in sidecar.log()


def test_unix_sockets_are_made_reached_and_removed(standing, sidecars, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    with standing.serving(echo):
        listen = f"127.0.0.1:{free_port()}"
        document = egress(standing.certificates, listen, standing.ingress.listen)
        (entry,) = document["egress"]
        document["egress"].append(entry | {"name": "app", "listen": f"unix:{run}/app.sock"})
        document["control"] = {"listen": f"unix:{run}/control.sock"}
        beside = sidecars.start("egress", document).wait_until_ready()

        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(str(run / "app.sock"))
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
    assert beside.stop() == 0
    assert list(run.iterdir()) == []


def test_the_file_turns_it_off(sidecars, certificates):
    with serving(echo) as server:
        document = ingress(certificates, f"127.0.0.1:{free_port()}", server.forward)
        document |= {"hardening": {"landlock": "off"}}
        sidecar = sidecars.start("ingress", document).wait_until_ready()

    assert not any(renounced(pid) for pid in sidecar.family())
    assert "not confined by Landlock: the configuration turns it off" in sidecar.log()


def test_a_reload_to_an_upstream_on_another_port_cuts_nothing(sidecars, certificates):
    """The kernel keeps the running worker from that port for ever, so another one takes over."""
    with serving(echo) as first, serving(greet) as second:
        front = sidecars.start_ingress(first.forward)
        beside = sidecars.start_egress(front.listen)
        with socket.create_connection(beside.address, timeout=10) as stream:
            stream.sendall(b"hello")
            assert stream.recv(100) == b"hello"
            (entry,) = front.document["ingress"]
            name = f"localhost:{second.forward.rpartition(':')[2]}"
            ended = front.reload(front.document | {"ingress": [entry | {"forward": name}]})
            assert ended.returncode == 0, ended.stderr

            assert round_trip(beside.address) == b"welcome"
            stream.sendall(b"still here")
            assert stream.recv(100) == b"still here"
        wait_until(lambda: len(front.family()) == 2, "the old worker leaves with its connection")
    assert "only finishes what it has; a new one starts" in front.log()
