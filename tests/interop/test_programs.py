"""Node and Go on the other side of real sockets: both roles, with certificates on both sides."""

import os
from pathlib import Path

import pytest

from pqproxy.tls import ClientAuthentication
from tests.interop.matrix import (
    SERVER_NAME,
    SIGNATURES,
    client_leaf,
    code_points,
    each_certificate,
    each_group,
    server_leaf,
)
from tests.support import pki
from tests.support.loopback import Endpoint
from tests.support.peers import node_command
from tests.support.programs import Program, build_go, options
from tests.support.sockets import Server, dial, drive

HERE = Path(__file__).parent
MEGABYTE = 1 << 20

pytestmark = pytest.mark.interop


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("node", marks=pytest.mark.peer("node")),
        pytest.param("go", marks=pytest.mark.peer("go")),
    ],
)
def command(request):
    """How to start the peer."""
    if request.param == "node":
        return [node_command(), str(HERE / "node" / "peer.js")]
    return [str(build_go(HERE / "go", request.config.cache.mkdir("go-peer")))]


def exchange(endpoint, sock, size=MEGABYTE):
    """Our client sends, half-closes and reads the echo to its end."""
    sent = os.urandom(size)
    endpoint.send(sent)
    endpoint.close()
    with sock:
        drive(endpoint, sock, until=lambda: endpoint.peer_closed)
    assert endpoint.received == sent


@each_group
@each_certificate
def test_our_server_serves_the_peer(command, group, algorithm, tmp_path):
    trust, leaf, own = pki.root(algorithm), client_leaf(algorithm), server_leaf(algorithm)

    def make_endpoint():
        return Endpoint.server(
            own,
            groups=code_points(group),
            client_authentication=ClientAuthentication.REQUIRE,
            alpn_protocols=(b"http/1.1",),
        )

    wanted = options("client", groups=[group], leaf=leaf, trust=trust, directory=tmp_path)
    wanted |= {"serverName": SERVER_NAME, "alpn": ["h2", "http/1.1"], "size": MEGABYTE}
    with Server(make_endpoint) as server, Program(command, {**wanted, "port": server.port}) as peer:
        report = peer.report()

    (ours,) = server.endpoints
    assert report["intact"], report
    assert report["alpn"] == "http/1.1"
    assert report["peer"] == own.chain_der[0].hex()
    assert ours.negotiated.group_name == group
    assert ours.negotiated.server_name == SERVER_NAME
    assert ours.negotiated.peer_signature_name == SIGNATURES[algorithm]
    assert ours.negotiated.peer_chain[0] == leaf.chain_der[0]  # Node adds the root it trusts


@each_group
@each_certificate
def test_our_client_is_served_by_the_peer(command, group, algorithm, tmp_path):
    trust, leaf = pki.root(algorithm), server_leaf(algorithm)
    wanted = options("server", groups=[group], leaf=leaf, trust=trust, directory=tmp_path)
    client = Endpoint.client(
        client_leaf(algorithm),
        groups=code_points(group),
        server_name=SERVER_NAME,
        alpn_protocols=(b"h2", b"http/1.1"),
    )

    with Program(command, {**wanted, "alpn": ["http/1.1"]}) as peer:
        sock = dial(peer.report()["port"], client)
        exchange(client, sock)
        report = peer.report()

    assert report["serverName"] == SERVER_NAME
    assert client.negotiated.group_name == group
    assert client.negotiated.alpn_protocol == b"http/1.1"
    assert client.negotiated.peer_signature_name == SIGNATURES[algorithm]
    assert client.negotiated.peer_chain[0] == leaf.chain_der[0]


def test_our_server_asks_the_peer_again(command, tmp_path):
    """The peer shares X25519MLKEM768 and lists another group, the only one allowed here."""
    groups = ["X25519MLKEM768", "SecP384r1MLKEM1024"]
    wanted = options("client", groups=groups, trust=pki.root(), directory=tmp_path, size=100)

    def make_endpoint():
        return Endpoint.server(server_leaf(), groups=code_points("SecP384r1MLKEM1024"))

    with Server(make_endpoint) as server:
        wanted |= {"serverName": SERVER_NAME, "port": server.port}
        with Program(command, wanted) as peer:
            report = peer.report()

    assert report["intact"], report
    assert server.endpoints[0].negotiated.hello_retry


def test_our_client_is_asked_again_by_the_peer(command, tmp_path):
    wanted = options("server", groups=["SecP256r1MLKEM768"], leaf=server_leaf(), directory=tmp_path)
    client = Endpoint.client(server_name=SERVER_NAME)

    with Program(command, wanted) as peer:
        exchange(client, dial(peer.report()["port"], client), size=100)

    assert client.negotiated.hello_retry
    assert client.negotiated.group_name == "SecP256r1MLKEM768"


def test_a_peer_without_post_quantum_groups_is_refused(command, tmp_path):
    wanted = options("client", groups=["x25519"], trust=pki.root(), directory=tmp_path, size=1)

    with Server(lambda: Endpoint.server(server_leaf())) as server:
        wanted |= {"serverName": SERVER_NAME, "port": server.port}
        with Program(command, wanted) as peer:
            report = peer.report()

    assert "error" in report
    assert server.endpoints[0].failure.alert_name == "insufficient_security"
