"""Confined by the kernel: sidecars still do their work, and say how far they are confined."""

import socket
from pathlib import Path

import pytest

from pqproxy.landlock import landlock_abi
from tests.support.plain_server import echo, serving
from tests.support.sidecars import egress, free_port, ingress

pytestmark = pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no Landlock")


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


def test_unix_sockets_are_made_reached_and_removed(sidecars, tmp_path, certificates):
    run = tmp_path / "run"
    run.mkdir()
    with serving(echo) as server:
        front = sidecars.start_ingress(server.forward)
        document = egress(certificates, f"127.0.0.1:{free_port()}", front.listen)
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
