"""Our server within the handshakes of RFC 8448.

It orders its extensions otherwise, so its hellos are compared as values; its second half starts
where the recorded server stood after its flight.
"""

from dataclasses import replace

import pytest

from pqproxy import tls
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.extensions import read_client_shares
from pqproxy.tls.messages import ClientHello, ServerHello
from tests.support.hostile import records
from tests.vectors import traces
from tests.vectors.replay import (
    CCS,
    P256,
    X25519,
    afterwards,
    entropy_of,
    flight,
    key_entropy,
    server_config,
    server_of,
)
from tests.vectors.traces import (
    CLIENT,
    CLIENT_AUTHENTICATION,
    COMPATIBILITY,
    FULL,
    ONE_RTT,
    RETRY,
    SERVER,
)

each_trace = pytest.mark.parametrize("section", FULL)


@pytest.mark.parametrize("section", [ONE_RTT, CLIENT_AUTHENTICATION, COMPATIBILITY])
def test_our_server_answers_the_recorded_hello_with_the_recorded_server_hello(section):
    trace = traces.load(section)
    recorded = ServerHello.read(trace.message("ServerHello").body)
    entropy = entropy_of(key_entropy(trace, SERVER, X25519), recorded.random)
    server = tls.ServerConnection(server_config(trace, section), entropy=entropy)
    server.receive_data(trace.records(CLIENT)[0][1])
    event = server.next_event()
    hello, *rest = records(server.take_output())

    assert ServerHello.read(hello[9:]) == recorded
    assert isinstance(event, tls.SignatureRequested)
    assert event.algorithm.name == (
        "ECDSA-P256-SHA256" if section == CLIENT_AUTHENTICATION else "RSA-PSS-SHA256"
    )
    assert (rest[0] == CCS) is (section == COMPATIBILITY)
    assert server.offer.server_name == "server"


def test_our_server_asks_the_recorded_client_for_the_recorded_group():
    """But for the cookie, of which we need none, the request is the recorded one."""
    trace = traces.load(RETRY)
    recorded = ServerHello.read(trace.message("ServerHello").body)
    server = tls.ServerConnection(server_config(trace, RETRY, groups=(P256,)))
    server.receive_data(trace.records(CLIENT)[0][1])
    assert server.next_event() is None
    (request,) = records(server.take_output())
    without = {k: v for k, v in recorded.extensions.items() if k != ExtensionType.COOKIE}

    assert ServerHello.read(request[9:]) == replace(recorded, extensions=without)
    server.receive_data(trace.records(CLIENT)[1][1])
    assert isinstance(server.next_event(), tls.SignatureRequested)


@pytest.mark.usefixtures("any_rsa_key")
@each_trace
def test_our_server_takes_the_recorded_second_flight_and_what_follows(section):
    trace = traces.load(section)
    server = server_of(trace, section)
    server.feed(flight(trace, CLIENT))
    assert server.failure is None
    assert server.handshake_complete
    server.feed(b"".join(record for _, record in afterwards(trace, CLIENT)))
    data = [payload for payload, _ in afterwards(trace, CLIENT) if payload != b"\1\0"]

    assert server.peer_closed
    assert bytes(server.received) == b"".join(data)
    assert len(server.negotiated.peer_chain) == (section == CLIENT_AUTHENTICATION)
    if section != ONE_RTT:  # there the recorded server sent a ticket first
        server.close()
        assert server.take() == afterwards(trace, SERVER)[0][1]


def test_the_recorded_share_is_of_the_group_that_was_asked_for():
    hello = ClientHello.read(traces.load(RETRY).message("ClientHello", index=1).body)
    (share,) = read_client_shares(hello.extensions[ExtensionType.KEY_SHARE])

    assert (share.group, len(share.key_exchange)) == (P256, 65)
