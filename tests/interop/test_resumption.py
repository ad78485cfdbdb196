"""Sessions resumed with other people's TLS, both roles; and what exporters give."""

from pathlib import Path

import pytest
from curl_cffi import requests

from pqproxy.tls import ClientAuthentication
from tests.interop.matrix import (
    HYBRID,
    SERVER_NAME,
    assert_both_ways,
    client_leaf,
    code_points,
    each_certificate,
    server_leaf,
)
from tests.support import pki
from tests.support.loopback import Endpoint, pump
from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.peers import node_command
from tests.support.programs import Program, options
from tests.support.resumption import Clock, received, tickets
from tests.support.sockets import Server, answer_http, dial, drive

pytestmark = pytest.mark.interop

NODE = Path(__file__).parent / "node" / "peer.js"
LABEL, CONTEXT = b"EXPORTER-pqproxy-test", b"context"
each_suite = pytest.mark.parametrize(
    "suites", [None, b"TLS_AES_128_GCM_SHA256"], ids=["sha384", "sha256"]
)


def our_server(algorithm="ecdsa-p256", **config):
    """Each call another connection to the same server."""
    config = {"tickets": tickets(Clock()), **config}
    return Endpoint.server(server_leaf(algorithm), **config)


def our_client(ticket=None, **config):
    return Endpoint.client(
        client_leaf(), server_name=SERVER_NAME, clock=Clock(), ticket=ticket, **config
    )


# OpenSSL


@pytest.mark.peer("openssl")
@each_suite
@pytest.mark.parametrize("group", HYBRID)
def test_openssl_comes_back_to_our_server(group, suites):
    settings = {"trust": pki.root(), "groups": (group,), "cipher_suites": suites}
    first = OpenSslEndpoint.client(leaf=client_leaf(), **settings)
    asks = {"client_authentication": ClientAuthentication.REQUIRE}
    pump(first, our_server(groups=code_points(group), **asks))
    again = OpenSslEndpoint.client(before=first)
    server = our_server(groups=code_points(group), **asks)
    pump(again, server)

    assert again.error is None
    assert again.resumed
    assert not first.resumed
    assert server.negotiated.resumed
    assert server.negotiated.authentication.chain_digest  # it showed its certificate the first time
    assert server.negotiated.group_name == group
    assert_both_ways(again, server, size=20_000)


@pytest.mark.peer("openssl")
@each_suite
@pytest.mark.parametrize("group", HYBRID)
def test_our_client_comes_back_to_openssl(group, suites):
    settings = {"leaf": server_leaf(), "trust": pki.root(), "groups": (group,)}
    settings["cipher_suites"] = suites
    first = our_client(groups=code_points(group))
    server = OpenSslEndpoint.server(**settings)
    pump(first, server)
    ticket = received(first)[0]
    again, other = (
        our_client(ticket, groups=code_points(group)),
        OpenSslEndpoint.server(before=server),
    )
    pump(again, other)

    assert other.error is None
    assert other.resumed
    assert again.negotiated.resumed
    assert received(again)
    assert_both_ways(again, other, size=20_000)


@pytest.mark.peer("openssl")
def test_a_resumption_with_openssl_is_asked_again_for_a_group():
    """Their binder and ours over a transcript that begins with a hash (§4.3.11.2)."""
    groups = ("*X25519MLKEM768", "SecP256r1MLKEM768")
    settings = {"trust": pki.root(), "groups": groups}
    first = OpenSslEndpoint.client(**settings)
    pump(first, our_server())
    again = OpenSslEndpoint.client(before=first)
    server = our_server(groups=code_points("SecP256r1MLKEM768"))
    pump(again, server)
    assert again.resumed
    assert server.negotiated.hello_retry

    theirs, ours = OpenSslEndpoint.server(leaf=server_leaf()), our_client()
    pump(ours, theirs)
    restricted = OpenSslEndpoint.server(before=theirs)
    shares_another = our_client(
        received(ours)[0], groups=code_points("SecP256r1MLKEM768", "X25519MLKEM768")
    )
    pump(shares_another, restricted)
    assert restricted.resumed
    assert shares_another.negotiated.resumed
    assert shares_another.negotiated.hello_retry


@pytest.mark.peer("openssl")
def test_a_ticket_of_ours_that_no_longer_opens_costs_openssl_a_full_handshake():
    first = OpenSslEndpoint.client(trust=pki.root())
    pump(first, our_server())
    again = OpenSslEndpoint.client(before=first)
    server = our_server(tickets=tickets(Clock(), keys=(bytes(32),)))
    pump(again, server)

    assert again.error is None
    assert not again.resumed
    assert not server.negotiated.resumed
    assert_both_ways(again, server, size=1000)


@pytest.mark.peer("openssl")
@each_certificate
def test_openssl_is_resumed_whatever_the_certificate(algorithm):
    first = OpenSslEndpoint.client(trust=pki.root(algorithm))
    pump(first, our_server(algorithm))
    again = OpenSslEndpoint.client(before=first)
    pump(again, our_server(algorithm))

    assert again.resumed


@pytest.mark.peer("openssl")
@each_suite
@pytest.mark.parametrize("length", [20, 200])
@pytest.mark.parametrize("resumed", [False, True])
def test_openssl_exports_the_same_keys(suites, length, resumed):
    settings = {"trust": pki.root(), "cipher_suites": suites}
    client, server = OpenSslEndpoint.client(**settings), our_server()
    pump(client, server)
    if resumed:
        client = OpenSslEndpoint.client(before=client)
        server = our_server()
        pump(client, server)

    assert server.negotiated.resumed is resumed
    for context in (b"", CONTEXT):
        theirs = client.connection.export_keying_material(LABEL, length, context)
        assert server.connection.export_keying_material(LABEL, context, length) == theirs
    without = client.connection.export_keying_material(LABEL, length)
    assert server.connection.export_keying_material(LABEL, b"", length) == without


# Node


@pytest.mark.peer("node")
def test_node_comes_back_to_our_server(tmp_path):
    wanted = options(
        "client", groups=HYBRID[:1], leaf=client_leaf(), trust=pki.root(), directory=tmp_path
    )
    wanted |= {"serverName": SERVER_NAME, "size": 1000, "connections": 2}

    def make_endpoint():
        return our_server(client_authentication=ClientAuthentication.REQUIRE)

    with Server(make_endpoint) as server:
        command = [node_command(), str(NODE)]
        with Program(command, {**wanted, "port": server.port}) as peer:
            reports = [peer.report(), peer.report()]

    assert [report["resumed"] for report in reports] == [False, True]
    assert all(report["intact"] for report in reports)
    assert [one.negotiated.resumed for one in server.endpoints] == [False, True]


@pytest.mark.peer("node")
def test_our_client_comes_back_to_node(tmp_path):
    wanted = options(
        "server", groups=HYBRID[:1], leaf=server_leaf(), trust=pki.root(), directory=tmp_path
    )
    with Program([node_command(), str(NODE)], wanted) as peer:
        port = peer.report()["port"]
        first = visit(port, our_client())
        assert not peer.report()["resumed"]
        again = visit(port, our_client(received(first)[0]))
        assert peer.report()["resumed"]

    assert again.negotiated.resumed
    assert bytes(again.received) == b"question"


def visit(port, client):
    """One connection to an echo server, to its end."""
    with dial(port, client) as sock:
        client.send(b"question")
        client.close()
        drive(client, sock, until=lambda: client.peer_closed)
    return client


# curl_cffi


@pytest.mark.peer("curl_cffi")
@pytest.mark.parametrize("browser", ["chrome", "safari"])
def test_a_browser_comes_back_to_our_server(browser, tmp_path):
    """BoringSSL, with GREASE in its hello; it keeps its tickets for as long as its session."""
    verify = str(pki.root().write(tmp_path))

    def make_endpoint():
        return our_server(alpn_protocols=(b"http/1.1",))

    with (
        Server(make_endpoint, lambda: answer_http(b"hello")) as server,
        requests.Session(impersonate=browser, verify=verify, timeout=20) as session,
    ):
        answers = [session.get(f"https://localhost:{server.port}/").content for _ in range(2)]

    assert answers == [b"hello"] * 2
    assert [one.negotiated.resumed for one in server.endpoints] == [False, True]
    assert server.endpoints[1].negotiated.group_name == "X25519MLKEM768"
