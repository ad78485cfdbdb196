"""A whole examination, of servers in this process."""

import asyncio
import json
import socket

import pytest

from pqproxy.config.values import TcpAddress
from pqproxy.identity.trust import Trust
from pqproxy.probing import examination, wire
from pqproxy.probing.chain import verify_with
from pqproxy.probing.examination import AT_A_TIME, Endpoint, examine
from pqproxy.probing.findings import Reply
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.lines import render
from pqproxy.probing.probe_report import document, lines
from pqproxy.probing.verdict import judge
from pqproxy.probing.wire import Unreachable
from pqproxy.tls import (
    CLASSICAL_GROUPS,
    HYBRID_GROUPS,
    AlpnDemand,
    ClientAuthentication,
    NamedGroup,
)
from tests.support import loopback, pki
from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.plain_server import serving
from tests.support.sockets import Server

NAME = "llm.test"
PQ = NamedGroup.X25519MLKEM768


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """What a server says after the handshake is awaited a while; here it comes at once."""
    monkeypatch.setattr(examination, "LINGER", 0.3)


def leaf(**more):
    return pki.root().issue(dns=(NAME,), **more)


def endpoint_at(port, patience=5, **more):
    return Endpoint(TcpAddress("127.0.0.1", port), NAME, patience, lambda: pki.NOW, **more)


def examined(make, **more):
    with Server(make) as server:
        return asyncio.run(examine(endpoint_at(server.port, **more))), server.endpoints


def ours(**config):
    own = leaf()
    return lambda: loopback.Endpoint.server(own, **config)


def test_a_server_that_requires_is_found_out():
    found, endpoints = examined(ours())

    assert judge(found).is_post_quantum_only
    assert {g for g in HYBRID_GROUPS if found.groups[g].reply is Reply.ACCEPTED} == {*HYBRID_GROUPS}
    assert {found.groups[g].reply for g in CLASSICAL_GROUPS} == {Reply.REFUSED}
    assert found.classical.alert == 71
    assert found.older.outcome is Outcome.REFUSED
    assert found.retry.asked_again
    assert found.retry.group == PQ
    assert found.segments.is_positive
    assert found.records.is_positive
    assert len(found.handshake_seconds) == 3
    assert len(endpoints) < 20
    assert endpoints[0].connection.offer.server_name == NAME


def test_our_private_group_is_asked_for_too():
    private = NamedGroup.X25519MLKEM1024
    found, _ = examined(ours(groups=(*HYBRID_GROUPS, private)))

    assert found.groups[private].reply is Reply.ACCEPTED
    assert judge(found).is_post_quantum_only


def test_a_server_that_prefers_is_downgradeable():
    found, _ = examined(ours(groups=HYBRID_GROUPS + CLASSICAL_GROUPS))
    verdict = judge(found)

    assert verdict.post_quantum.value == "negotiated"
    assert verdict.downgradeable is True
    assert found.classical.group == NamedGroup.x25519


def test_openssl_is_asked_for_groups_that_we_do_not_speak():
    own = leaf()
    found, _ = examined(
        lambda: OpenSslEndpoint.server(leaf=own, groups=("MLKEM1024", "X25519MLKEM768", "P-521"))
    )

    assert found.groups[0x0202].reply is Reply.ASKS_FOR_SHARE
    assert found.groups[0x0201].reply is Reply.REFUSED
    assert found.groups[0x0019].reply is Reply.ASKS_FOR_SHARE
    assert found.older_version == 0x0303
    assert judge(found).downgradeable is True


def test_no_common_application_protocol_is_no_refusal():
    found, _ = examined(ours(alpn_protocols=(b"pqproxy/1",)))

    assert found.first.outcome is Outcome.COMPLETED
    assert found.first.negotiated.alpn_protocol is None


def test_a_sidecar_that_takes_tunnels_only_is_examined_all_the_same():
    found, _ = examined(ours(alpn_protocols=(b"pqproxy/1",), alpn_demand=AlpnDemand.ALWAYS))

    assert found.first.outcome is Outcome.COMPLETED
    assert found.first.negotiated.alpn_protocol == b"pqproxy/1"
    assert judge(found).is_post_quantum_only


def test_a_server_that_insists_on_a_certificate_is_examined_all_the_same():
    found, _ = examined(ours(client_authentication=ClientAuthentication.REQUIRE))

    assert found.client_certificate == "required"
    assert judge(found).is_post_quantum_only


@pytest.mark.parametrize(("name", "is_trusted"), [(NAME, True), ("other.test", False)])
def test_a_chain_is_verified_where_roots_are_given(name, is_trusted):
    verify = verify_with(Trust.load(pki.trust_files(pki.root())), name, lambda: pki.NOW)
    found, _ = examined(ours(), verify=verify)

    assert (found.untrusted == "") is is_trusted
    assert found.certificates[0].key == "ecdsa-p256"


@pytest.mark.parametrize(
    ("behaviour", "outcome", "connections", "patience"),
    [
        (lambda connection: connection.recv(65536) and connection.recv(1), Outcome.SILENT, 1, 0.3),
        (lambda connection: connection.recv(65536), Outcome.CLOSED, 2, 10),
    ],
    ids=["silent", "closing"],
)
def test_who_says_nothing_is_asked_hardly_anything(behaviour, outcome, connections, patience):
    with serving(behaviour) as server:
        found = asyncio.run(examine(endpoint_at(server.address[1], patience=patience)))
        count = len(server.accepted)

    assert found.first.outcome is outcome
    assert count <= connections
    assert not found.groups


def test_what_is_no_tls_is_asked_nothing_more():
    def ssh(connection):
        connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
        connection.recv(65536)

    with serving(ssh) as server:
        found = asyncio.run(examine(endpoint_at(server.address[1])))
        count = len(server.accepted)

    assert judge(found).protocol == "SSH"
    assert count == 1


def test_no_more_than_a_few_connections_are_open_at_a_time():
    """Servers have budgets of handshakes for each source."""
    counts, own = [], leaf()

    def make():
        counts.append(sum(not e.closed for e in server.endpoints))
        return loopback.Endpoint.server(own)

    with Server(make) as server:
        asyncio.run(examine(endpoint_at(server.port)))

    assert max(counts) <= 2 * AT_A_TIME  # some are on their way out


def test_a_server_that_goes_silent_costs_a_bounded_time(monkeypatch):
    """It answers the first hello, then lets everybody wait."""
    monkeypatch.setattr(examination, "ALL_TOGETHER", 1)
    own, met = leaf(), []

    def make():
        met.append(1)
        return loopback.Endpoint.server(own) if len(met) == 1 else Mute()

    found, _ = examined(make, patience=2)

    assert found.first.outcome is Outcome.COMPLETED
    assert judge(found).downgradeable is None
    assert found.classical.reply is Reply.NOT_ASKED


class Mute:
    """Takes everything, says nothing, until the peer leaves."""

    received, closing, closed, peer_closed = b"", True, False, True

    def feed(self, _data):
        pass

    def feed_eof(self):
        self.closed = True

    def take(self):
        return b""


def test_nobody_there_is_an_error():
    with serving(lambda _connection: None) as server:
        server.close()

        with pytest.raises(Unreachable):
            asyncio.run(examine(endpoint_at(server.address[1])))


def test_all_questions_go_to_the_address_that_answered_first(monkeypatch):
    """Behind one name there may be servers of different minds."""
    own = leaf()
    with Server(lambda: loopback.Endpoint.server(own)) as server:
        asked = []

        def resolve(host, port, **_more):
            asked.append(host)
            return [(socket.AF_INET, 1, 6, "", ("127.0.0.1", server.port))]

        monkeypatch.setattr(wire.socket, "getaddrinfo", resolve)
        there = Endpoint(TcpAddress("many.test", 443), NAME, 5, lambda: pki.NOW)
        found = asyncio.run(examine(there))

    assert judge(found).is_post_quantum_only
    assert asked.count("many.test") == 1


SERVER_HELLO = "160303003e0200003a0303" + "00" * 32 + "00130100" + "00120033000200ee002b000203"

RETRY_RANDOM = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
COOKIE_ONLY = f"16030300390200003503 03{RETRY_RANDOM}00130100000d002b00020304002c0003000107"


@pytest.mark.parametrize(
    "said",
    [
        bytes.fromhex(SERVER_HELLO),
        bytes.fromhex(COOKIE_ONLY),
        bytes.fromhex("160303000402000000"),
        bytes.fromhex("16030300040200ffff") + bytes(70_000),
        bytes.fromhex("15030300010a"),
        bytes.fromhex("150303000201ff") * 50,
        bytes.fromhex("140303000101") * 50,
        bytes(range(256)) * 40,
    ],
    ids=["hello", "cookie", "empty", "long", "alert", "alerts", "ccs", "bytes"],
)
def test_whatever_a_server_says_there_is_a_report(said):
    """To each hello the same nonsense: no crash, no wait, words for people and for programs."""

    def behaviour(connection):
        connection.recv(65536)
        connection.sendall(said)
        connection.recv(65536)

    with serving(behaviour) as server:
        found = asyncio.run(examine(endpoint_at(server.address[1], patience=0.5)))
    verdict = judge(found)

    assert json.dumps(document(found, verdict))
    assert render(lines(found, verdict), colour=False)
    assert verdict.post_quantum.value in ("no", "unknown")
