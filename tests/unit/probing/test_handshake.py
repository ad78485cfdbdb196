"""Real sockets, because that is what this is about; the other side is ours, or plays."""

import asyncio
import time

import pytest

from pqproxy import tls
from pqproxy.config.values import TcpAddress
from pqproxy.probing.handshake import Afterwards, Approach, Outcome, shake_hands
from pqproxy.probing.pieces import Cut
from pqproxy.probing.wire import Unreachable
from pqproxy.tls import ClientAuthentication, NamedGroup
from tests.support import pki
from tests.support.hostile import leaf
from tests.support.loopback import Endpoint, credential
from tests.support.plain_server import reset, serving
from tests.support.sockets import Server

NAME = "llm.test"


def shake(port, patience=10, **approach):
    address = TcpAddress("127.0.0.1", port)
    return asyncio.run(shake_hands(address, Approach(**approach), patience))


def with_server(make=lambda: Endpoint.server(leaf()), **approach):
    with Server(make) as server:
        return shake(server.port, **approach), server


def with_plain(behaviour, **approach):
    with serving(behaviour) as server:
        return shake(server.address[1], **approach)


def say(data):
    def behaviour(connection):
        connection.recv(65536)
        connection.sendall(data)
        while connection.recv(65536):  # a reset would overtake what was said
            pass

    return behaviour


def test_a_handshake_that_completes_tells_all_of_it():
    own = leaf()
    handshake, server = with_server(lambda: Endpoint.server(own), server_name=NAME)

    assert handshake.outcome is Outcome.COMPLETED
    assert handshake.served
    assert handshake.negotiated.group_name == "X25519MLKEM768"
    assert handshake.observed.chain == own.chain_der
    assert handshake.peer == f"127.0.0.1:{server.port}"
    assert handshake.hello_size > 1200
    assert handshake.flight_size > handshake.observed.certificate_size > 300
    assert handshake.connect_seconds > 0
    assert handshake.handshake_seconds > 0
    assert handshake.afterwards is Afterwards.NOT_AWAITED
    assert server.endpoints[0].negotiated.server_name == NAME
    assert server.endpoints[0].peer_closed  # we took our leave


@pytest.mark.parametrize("cut", Cut)
def test_a_hello_arrives_however_it_is_cut(cut):
    assert with_server(cut=cut)[0].served


def test_a_refusal_is_a_result_with_its_alert():
    handshake, _ = with_server(groups=(NamedGroup.x25519,), key_shares=(NamedGroup.x25519,))

    assert handshake.outcome is Outcome.REFUSED
    assert handshake.alert == tls.AlertDescription.INSUFFICIENT_SECURITY
    assert "insufficient_security" in handshake.reason
    assert not handshake.served


def test_a_judge_that_says_no_ends_it_with_its_reason():
    verdict = tls.Verdict.reject(tls.AlertDescription.UNKNOWN_CA, "nobody signed it")
    handshake, server = with_server(judge=lambda _chain: verdict)

    assert handshake.outcome is Outcome.FAILED
    assert handshake.reason == "nobody signed it"
    assert handshake.alert is None  # ours, not theirs
    assert handshake.observed.group == NamedGroup.X25519MLKEM768
    assert server.endpoints[0].failure.alert_name == "unknown_ca"


def demanding():
    return Endpoint.server(leaf(), client_authentication=ClientAuthentication.REQUIRE)


def test_a_server_that_insists_on_a_certificate_says_so_after_the_handshake():
    handshake, _ = with_server(demanding, linger=10)

    assert handshake.outcome is Outcome.COMPLETED
    assert handshake.afterwards is Afterwards.ALERT
    assert handshake.alert == tls.AlertDescription.CERTIFICATE_REQUIRED
    assert handshake.observed.wants_certificate
    assert not handshake.served


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "mldsa65"])
def test_a_certificate_of_ours_is_shown_to_who_asks(algorithm):
    own = pki.root(algorithm).issue(dns=("client.test",))
    handshake, server = with_server(demanding, linger=0.2, credentials=(credential(own),))

    assert handshake.afterwards is Afterwards.QUIET
    assert handshake.served
    assert server.endpoints[0].negotiated.peer_chain == own.chain_der


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [
        (say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Outcome.NOT_TLS),
        (say(bytes.fromhex("15030300020228")), Outcome.REFUSED),
        (say(bytes.fromhex("160303000401000000")), Outcome.FAILED),  # a ClientHello
        (lambda connection: connection.close(), Outcome.CLOSED),
        (lambda connection: connection.recv(65536), Outcome.CLOSED),
        (lambda connection: connection.recv(1) and reset(connection), Outcome.CLOSED),
    ],
    ids=["http", "alert", "hello", "close", "late-close", "reset"],
)
def test_whatever_a_server_does_is_a_result(behaviour, outcome):
    assert with_plain(behaviour).outcome is outcome


def test_the_first_bytes_of_what_is_no_tls_are_kept():
    assert with_plain(say(b"SSH-2.0-x\r\n")).first_bytes == b"SSH-2.0-x\r\n"


def test_a_silent_server_costs_the_patience_and_no_more():
    handshake = with_plain(
        lambda connection: connection.recv(65536) and connection.recv(1), patience=0.3
    )

    assert handshake.outcome is Outcome.SILENT


def test_a_server_that_drips_costs_the_patience_and_no_more():
    """One byte of a record header at a time never restarts the clock."""

    def drip(connection):
        while True:
            connection.sendall(b"\x16"[:1])
            time.sleep(0.02)

    handshake = with_plain(drip, patience=0.3)

    assert handshake.outcome in (Outcome.SILENT, Outcome.FAILED)


def test_a_server_that_floods_is_left():
    def flood(connection):
        while True:
            connection.sendall(bytes.fromhex("140303000101") * 1000)

    assert with_plain(flood).outcome is Outcome.FAILED


def test_who_cannot_be_reached_is_an_error():
    with serving(lambda _connection: None) as server:
        port = server.address[1]
        server.close()

        with pytest.raises(Unreachable):
            shake(port)


def test_one_group_only_is_offered_and_shared():
    approach = Approach(server_name=NAME).only(NamedGroup.secp384r1)

    assert approach.groups == approach.key_shares == (NamedGroup.secp384r1,)
    assert approach.server_name == NAME
