"""What an operator sees and says of tunnels: log, status, metrics, modes, checks."""

import socket

import pytest

from tests.support.plain_server import echo, serving
from tests.support.sidecars import CLIENT, SERVER, egress, free_port, ingress


@pytest.fixture
def upstream():
    with serving(echo) as server:
        yield server


def say(port, text=b"hello"):
    """One connection through a sidecar, from its first byte to its end."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(text)
        client.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: client.recv(65536), b""))


def streams(sidecar, count):
    """The lines of connections, by what both sides call them."""
    lines = sidecar.wait_for("connection", count)
    return {(line["tunnel"], line["stream"]): line for line in lines}


def test_both_sides_tell_of_a_tunnel_and_of_each_stream_in_it(sidecars, upstream):
    """That a request was protected is proved by its own line, on either side."""
    pair = sidecars.start_pair(upstream.forward)

    for _ in range(3):
        assert say(pair.address[1]) == b"hello"

    assert streams(pair.ingress, 3).keys() == streams(pair.egress, 3).keys()
    for sidecar, peer in ((pair.ingress, CLIENT), (pair.egress, SERVER)):
        ups = {line["tunnel"]: line for line in sidecar.lines("tunnel_up")}
        for (tunnel, _), line in streams(sidecar, 3).items():
            for proof in (line, ups[tunnel]):
                assert (proof["identity"], proof["group"]) == (peer, "X25519MLKEM768")
            assert line["transport"] == "stream"
        name = sidecar.document["egress" if sidecar is pair.egress else "ingress"][0]["name"]
        ended = f'end_reason="finished",listener="{name}",transport="stream"'
        assert f"pqproxy_connections_total{{{ended}}} 3.0" in sidecar.metrics()
    assert " up, with 0 connections" in pair.egress.command("status").stdout

    pair.egress.stop()

    closed = pair.ingress.wait_for("tunnel_closed", len(pair.ingress.lines("tunnel_up")))
    assert {(line["end_reason"], line["level"]) for line in closed} == {("peer_retired", "info")}
    assert sum(line["streams"] for line in closed) == 3


def test_each_side_says_whether_it_wants_tunnels(sidecars, upstream):
    """`never` and `require` meet in vain, and both logs say which keys to compare."""
    never, require = free_port(), free_port()
    document = ingress(sidecars.certificates, f"127.0.0.1:{never}", upstream.forward)
    first = document["ingress"][0] | {"tunnel": {"mode": "never"}, "alpn": ["http/1.1"]}
    second = first | {"name": "strict", "listen": f"127.0.0.1:{require}"}
    document["ingress"] = [first, second | {"tunnel": {"mode": "require"}}]
    front = sidecars.start("ingress", document).wait_until_ready()
    ports = {"auto": free_port(), "require": free_port(), "never": free_port()}
    document = egress(sidecars.certificates, "127.0.0.1:0", f"127.0.0.1:{never}")
    plain = document["egress"][0]
    document["egress"] = [
        plain | {"name": mode, "listen": f"127.0.0.1:{port}", "tunnel": {"mode": mode}}
        for mode, port in ports.items()
    ]
    for entry in document["egress"][1:]:
        entry["connect"] = [f"127.0.0.1:{require}"]
    back = sidecars.start("egress", document)

    # A server that refuses tunnels is served without; the first client waits until that is known.
    back.wait_until_ready()
    assert say(ports["auto"]) == say(ports["require"]) == b"hello"
    with pytest.raises(ConnectionResetError):
        say(ports["never"])

    lines = {line["listener"]: line for line in back.wait_for("connection", 3)}
    assert (lines["auto"]["transport"], lines["require"]["transport"]) == ("tls", "stream")
    assert "compare tunnel.mode" in lines["never"]["fix"]
    assert "compare alpn, and tunnel.mode" in front.wait_for("refused")[-1]["fix"]
    (endpoint,) = back.status()["listeners"][0]["tunnels"]["endpoints"]
    assert endpoint == {
        "address": f"127.0.0.1:{never}",
        "tunnels": 0,
        "plain": True,
        "why": None,
    }
    checked = back.command("check").stdout
    assert "without tunnels; " in checked
    assert "through tunnels; " in checked
    assert "compare tunnel.mode" in checked
