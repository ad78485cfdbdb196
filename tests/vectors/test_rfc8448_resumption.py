"""The resumed handshake of RFC 8448 §4, whose ticket is that of §3.

Its early data, which this engine never sends or accepts, is passed over.
"""

from dataclasses import replace

import pytest

from pqproxy import tls
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_schedule import EarlySecret, resumption_psk
from pqproxy.tls.messages import ClientHello, HandshakeMessage, NewSessionTicket, ServerHello
from pqproxy.tls.pre_shared_key import OfferedPsks, psk_binder, with_pre_shared_key
from tests.support.hostile import records
from tests.vectors import traces
from tests.vectors.replay import X25519, entropy_of, key_entropy, server_config
from tests.vectors.traces import CLIENT, ONE_RTT, RESUMED, SERVER, SUITE


@pytest.fixture
def given():
    """The ticket that the first connection gave."""
    return NewSessionTicket.read(traces.load(ONE_RTT).message("NewSessionTicket").body)


@pytest.fixture
def trace():
    return traces.load(RESUMED)


@pytest.fixture
def psk(given):
    return resumption_psk(SUITE, traces.load(ONE_RTT).secret("res master"), given.ticket_nonce)


@pytest.fixture
def hello(trace):
    """The recorded ClientHello with its binder, as a message."""
    payload = trace.records(CLIENT)[0][0]
    return HandshakeMessage(payload[0], payload[4:])


def offered(hello):
    extensions = ClientHello.read(hello.body).extensions
    return OfferedPsks.read(extensions[ExtensionType.PRE_SHARED_KEY])


def test_the_ticket_of_one_connection_makes_the_key_of_the_next(trace, psk):
    assert psk.expose() == trace.extracted("early")["IKM"]
    assert EarlySecret.with_psk(SUITE, psk).secret.expose() == trace.extracted("early")["secret"]


def test_the_recorded_client_offers_the_recorded_ticket(given, hello):
    (identity,) = offered(hello).identities

    assert identity.identity == given.ticket


def test_the_recorded_binder(trace, psk, hello):
    step = trace.find("calculate PSK binder")[0].values
    early, psks = EarlySecret.with_psk(SUITE, psk), offered(hello)

    assert early.binder_key().expose() == step["PRK"]
    assert psks.truncate(hello) == step["ClientHello prefix"]
    assert Transcript(SUITE).hash_with(psks.truncate(hello)) == step["binder hash"]
    assert psk_binder(early, step["binder hash"]) == step["finished"] == psks.binders[0]


def test_our_client_binds_the_recorded_hello_byte_for_byte(psk, hello):
    read = ClientHello.read(hello.body)
    (identity,) = offered(hello).identities
    kept = {k: v for k, v in read.extensions.items() if k != ExtensionType.PRE_SHARED_KEY}
    bare = replace(read, extensions=kept)

    bound = with_pre_shared_key(bare, identity, EarlySecret.with_psk(SUITE, psk), Transcript(SUITE))

    assert bound.message() == hello


class RecordedTickets:
    """Knows the one ticket of the trace."""

    def __init__(self, ticket, psk):
        self._ticket, self._psk = ticket, psk

    def open(self, ticket):
        assert ticket == self._ticket
        proof = tls.Authentication.made((), b"", 0)
        return tls.Session(SUITE.suite, self._psk, proof, 0)


def test_our_server_answers_the_recorded_hello_with_the_recorded_server_hello(trace, given, psk):
    """The binder verifies, and the session is resumed; extensions may stand in another order."""
    recorded = ServerHello.read(trace.message("ServerHello").body)
    entropy = entropy_of(key_entropy(trace, SERVER, X25519), recorded.random)
    config = replace(server_config(trace, RESUMED), tickets=RecordedTickets(given.ticket, psk))

    server = tls.ServerConnection(config, entropy=entropy)
    server.receive_data(trace.records(CLIENT)[0][1])
    assert server.next_event() is None

    answer = records(server.take_output())[0]
    assert ServerHello.read(answer[9:]) == recorded
