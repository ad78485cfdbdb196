"""OpenSSL 4 on the other side, over memory: every group with every kind of certificate.

Our own client and server against each other would agree on a wrong byte order of a hybrid share;
this implementation would not.
"""

import os

import pytest

from pqproxy.tls import MAX_FRAGMENT, ClientAuthentication, Truncated, record
from tests.interop.matrix import (
    HYBRID,
    SERVER_NAME,
    SIGNATURES,
    assert_both_ways,
    client_leaf,
    code_points,
    each_certificate,
    each_group,
    server_leaf,
)
from tests.support import pki
from tests.support.loopback import Endpoint, pieces, pump
from tests.support.openssl_peer import OpenSslEndpoint

pytestmark = [pytest.mark.interop, pytest.mark.peer("openssl")]

MEGABYTE = 1 << 20


@each_group
@each_certificate
def test_our_server_serves_openssl(group, algorithm):
    leaf = server_leaf(algorithm)
    server = Endpoint.server(leaf, groups=code_points(group))
    client = OpenSslEndpoint.client(trust=pki.root(algorithm), groups=(group,))

    pump(client, server)

    assert client.error is None
    assert server.negotiated.group_name == client.group == group
    assert server.negotiated.signature_name == SIGNATURES[algorithm]
    assert_both_ways(client, server, size=20_000)


@each_group
@each_certificate
def test_our_client_is_served_by_openssl(group, algorithm):
    leaf = server_leaf(algorithm)
    server = OpenSslEndpoint.server(leaf=leaf, groups=(group,))
    client = Endpoint.client(groups=code_points(group), server_name=SERVER_NAME)

    pump(client, server)

    assert server.error is None
    assert client.negotiated.group_name == server.group == group
    assert client.negotiated.peer_signature_name == SIGNATURES[algorithm]
    assert client.negotiated.peer_chain == leaf.chain_der
    assert_both_ways(client, server, size=20_000)


@each_certificate
def test_our_server_knows_an_openssl_client_by_its_certificate(algorithm):
    root, leaf = pki.root(algorithm), client_leaf(algorithm)
    server = Endpoint.server(
        server_leaf(algorithm), client_authentication=ClientAuthentication.REQUIRE
    )
    client = OpenSslEndpoint.client(leaf=leaf, trust=root)

    pump(client, server)

    assert client.error is None
    assert server.negotiated.peer_chain[0] == leaf.chain_der[0]  # OpenSSL adds the root it trusts
    assert server.negotiated.peer_signature_name == SIGNATURES[algorithm]


@each_certificate
def test_our_client_shows_its_certificate_to_openssl(algorithm):
    """The chain with its intermediate: OpenSSL verifies it up to the root it trusts."""
    root = pki.root(algorithm)
    leaf = root.intermediate().issue(uris=("spiffe://corp/client",), name="client")
    server = OpenSslEndpoint.server(leaf=server_leaf(algorithm), trust=root)
    client = Endpoint.client(leaf)

    pump(client, server)

    assert server.error is None
    shown = server.connection.get_peer_certificate().to_cryptography()
    assert shown == leaf.certificate


def test_an_openssl_client_without_certificate_is_refused():
    server = Endpoint.server(server_leaf(), client_authentication=ClientAuthentication.REQUIRE)
    client = OpenSslEndpoint.client(trust=pki.root())

    pump(client, server)

    assert server.failure.alert_name == "certificate_required"
    assert "certificate required" in client.error


def test_an_openssl_client_without_certificate_may_come_in_on_request():
    server = Endpoint.server(server_leaf(), client_authentication=ClientAuthentication.REQUEST)
    client = OpenSslEndpoint.client(trust=pki.root())

    pump(client, server)

    assert server.handshake_complete
    assert server.negotiated.peer_chain == ()


def test_openssl_refuses_our_client_that_has_no_certificate():
    """The refusal comes after our client is done: it is told, by an alert under keys."""
    server = OpenSslEndpoint.server(leaf=server_leaf(), trust=pki.root())
    client = Endpoint.client()

    pump(client, server)

    assert client.failure.alert_name == "certificate_required"
    assert client.failure.by_peer
    assert client.failure.authenticated


@pytest.mark.parametrize("size", [1, 7, 1400])
def test_any_chunking_of_the_handshake_is_understood(size):
    """A hello with a hybrid share spans TCP segments as a matter of course."""
    client = OpenSslEndpoint.client(trust=pki.root())
    server = Endpoint.server(server_leaf("mldsa65"))
    client = OpenSslEndpoint.client(trust=pki.root("mldsa65"))

    pump(client, server, size=size)

    assert client.handshake_complete
    assert_both_ways(client, server, size=1000)


def test_a_megabyte_passes_both_ways():
    server = Endpoint.server(server_leaf())
    client = OpenSslEndpoint.client(trust=pki.root())
    pump(client, server)
    assert_both_ways(client, server, size=MEGABYTE)

    openssl = OpenSslEndpoint.server(leaf=server_leaf())
    ours = Endpoint.client()
    pump(ours, openssl)
    assert_both_ways(ours, openssl, size=MEGABYTE)


def test_a_stream_cut_off_by_openssl_is_no_clean_end():
    server = Endpoint.server(server_leaf())
    client = OpenSslEndpoint.client(trust=pki.root())
    pump(client, server)

    server.feed_eof()

    assert Truncated() in server.events
    assert not server.peer_closed


@pytest.mark.parametrize("retry", [False, True], ids=["at once", "after a retry"])
def test_both_sides_log_the_same_secrets(retry):
    """SSLKEYLOGFILE lines: what opens a capture of our traffic in Wireshark."""
    shared = ("*x25519", "X25519MLKEM768") if retry else ("X25519MLKEM768",)
    ours = []
    server = Endpoint.server(server_leaf(), key_log=ours.append)
    client = OpenSslEndpoint.client(trust=pki.root(), groups=shared)

    pump(client, server)

    theirs = [line for line in client.settings.key_log if not line.startswith("EXPORTER")]
    assert sorted(line.strip() for line in ours if "EXPORTER" not in line) == sorted(theirs)
    assert len(theirs) == 4


@pytest.mark.parametrize("group", HYBRID)
def test_openssl_follows_our_key_updates(group, monkeypatch):
    """Sent before a key has protected more records than is safe: here, after every second."""
    monkeypatch.setattr(record, "REKEY_AFTER", 2)
    server = Endpoint.server(server_leaf(), groups=code_points(group))
    client = OpenSslEndpoint.client(trust=pki.root(), groups=(group,))
    pump(client, server)

    sent = os.urandom(13 * MAX_FRAGMENT)
    server.send(sent)
    records = server.take()
    client.feed(records)

    assert record_count(records) == 13 + 6  # the data, and an update after every second
    assert client.error is None
    assert client.received == sent


def record_count(stream):
    """How many records these bytes are."""
    count, position = 0, 0
    while position < len(stream):
        position += 5 + int.from_bytes(stream[position + 3 : position + 5], "big")
        count += 1
    return count


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_hello_cut_over_many_records_is_read(size):
    server = Endpoint.server(server_leaf())
    client = OpenSslEndpoint.client(trust=pki.root())
    hello = client.take()
    message, header = hello[5:], hello[:3]

    for piece in pieces(message, size):
        server.feed(header + len(piece).to_bytes(2, "big") + piece)
    pump(client, server)

    assert client.error is None
    assert_both_ways(client, server, size=100)
