"""Resumption as a play, both roles: messages in, all actions out, every secret computed twice."""

import pytest

from pqproxy import tls
from pqproxy.tls.client_authentication import ClientConnected, WaitServerFinished
from pqproxy.tls.client_hello import ClientContext, ClientOffer
from pqproxy.tls.client_resumption import TicketTaker
from pqproxy.tls.codepoints import ExtensionType, HandshakeType, NamedGroup
from pqproxy.tls.extensions import write_uint16_list
from pqproxy.tls.handshake import (
    ExpectAnswer,
    HandshakeComplete,
    ReportTicket,
    SendChangeCipherSpec,
    SendHandshake,
    SkipEarlyData,
    UseReceiveSecret,
    UseSendSecret,
)
from pqproxy.tls.handshake_client import WaitServerHello
from pqproxy.tls.handshake_server import WaitClientHello
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.messages import EncryptedExtensions, NewSessionTicket, ServerHello
from pqproxy.tls.pre_shared_key import OfferedPsks, PskIdentity
from pqproxy.tls.server_authentication import ServerConnected, ServerContext, WaitFinished
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, credential
from tests.support.playbook import (
    OUR_KEY,
    OUR_RANDOM,
    RETRY_RANDOM,
    SESSION_ID,
    SHARED_SECRET,
    VERSION,
    Play,
    Schedule,
    client_hello,
    entropy,
    public,
    server_hello,
    share,
    shares,
)
from tests.support.resumption import HOUR, NOW, Clock, tickets

X25519, P256 = NamedGroup.x25519, NamedGroup.secp256r1
PSK = b"k" * 48
PSK_EXTENSION, SHARE = ExtensionType.PRE_SHARED_KEY, ExtensionType.KEY_SHARE
PROOF = tls.Authentication.made((b"leaf",), b"who", NOW)
SESSION = tls.Session(tls.CipherSuite.TLS_AES_256_GCM_SHA384, tls.Secret(PSK), PROOF, NOW + HOUR)
ASKING = {SHARE: shares()}


@pytest.fixture
def schedule():
    return Schedule("sha384", SHARED_SECRET, PSK)


# The server


def server():
    config = tls.ServerConfig(
        (credential(leaf()),),
        PROVIDER,
        groups=(X25519,),
        client_authentication=tls.ClientAuthentication.REQUIRE,
        tickets=tickets(Clock()),
    )
    return Play(WaitClientHello(ServerContext(config, KeyExchanges(PROVIDER), entropy)))


def hello(extensions=None, before=(), **fields):
    """A stranger's hello with a ticket of ours, bound as §4.3.11.2 says."""
    ticket = tickets(Clock()).seal(SESSION, entropy)
    psks = OfferedPsks((PskIdentity(b"unknown", 1), PskIdentity(ticket, 2)), (bytes(48),) * 2)
    offered = {ExtensionType.PSK_KEY_EXCHANGE_MODES: b"\1\1", PSK_EXTENSION: psks.write()}
    unbound = client_hello({**(extensions or {}), **offered}, **fields)
    binder = Schedule("sha384", b"", PSK).binder(psks.truncate(unbound.message()), before)
    bound = {**offered, PSK_EXTENSION: offered[PSK_EXTENSION][:-48] + binder}
    return client_hello({**(extensions or {}), **bound}, **fields).message()


def meets(play, message):
    """All parts of the answer to a first hello; what the last one does."""
    play.hears(message)
    play.proceeds()
    return play.proceeds()


def resumed_flight(schedule, play, hellos):
    """What follows our ServerHello: no certificate is asked for, and none is shown."""
    sending = schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", hellos)
    return (
        UseSendSecret(sending),
        UseReceiveSecret(schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", hellos)),
        SkipEarlyData(skip=False),
        SendHandshake(EncryptedExtensions({}).message()),
        SendHandshake(schedule.finished(sending, play.messages[:-1])),
        UseSendSecret(schedule.traffic("SERVER_TRAFFIC_SECRET_0", play.messages)),
        schedule.exporter(play.messages),
    )


OUR_HELLO = ServerHello(
    OUR_RANDOM,
    SESSION_ID,
    0x1302,
    {
        ExtensionType.SUPPORTED_VERSIONS: VERSION,
        SHARE: share(X25519, public(OUR_KEY)),
        PSK_EXTENSION: b"\0\1",
    },
).message()


def test_a_ticket_is_answered_with_the_whole_flight_at_once(schedule):
    play = server()

    answer = meets(play, hello())

    assert answer == (
        SendHandshake(OUR_HELLO),
        SendChangeCipherSpec(),
        *resumed_flight(schedule, play, play.messages[:2]),
    )
    assert isinstance(play.state, WaitFinished)


def test_a_resumption_after_a_retry_is_bound_to_the_retry_too(schedule):
    play = server()
    asked = meets(play, hello(ASKING))
    retry = ServerHello(
        RETRY_RANDOM,
        SESSION_ID,
        0x1302,
        {ExtensionType.SUPPORTED_VERSIONS: VERSION, SHARE: b"\0\x1d"},
    )
    assert asked == (SendHandshake(retry.message()), ExpectAnswer(), SendChangeCipherSpec())

    answer = play.hears(hello(before=play.messages[:2]))

    assert answer == (
        SendHandshake(OUR_HELLO),
        *resumed_flight(schedule, play, play.messages[:4]),
    )


def test_a_resumption_is_complete_with_the_proof_of_the_session(schedule):
    """Over a classical group: the client keeps who it is, and gets no new ticket."""
    play = server()
    meets(play, hello())
    flight = list(play.messages)
    receiving = schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", flight[:2])

    answer = play.hears(schedule.finished(receiving, flight))

    assert answer == (
        UseReceiveSecret(schedule.traffic("CLIENT_TRAFFIC_SECRET_0", flight)),
        HandshakeComplete(resumed(group=X25519, hello_retry=False)),
    )
    assert play.state == ServerConnected()


def resumed(**facts):
    return tls.Negotiated(
        cipher_suite=SESSION.cipher_suite,
        signature_scheme=None,
        peer_signature_scheme=None,
        peer_chain=(),
        server_name=None,
        alpn_protocol=None,
        resumed=True,
        authentication=PROOF,
        **facts,
    )


@pytest.mark.parametrize("early", [False, True])
def test_a_ticket_that_ended_between_two_hellos_leads_to_a_full_handshake(early):
    """The certificate is chosen late then; early data stays refused either way."""
    play = server()
    extra = {ExtensionType.EARLY_DATA: b""} if early else {}
    meets(play, hello({**ASKING, **extra}))
    play.state.context.config.tickets.clock.now = NOW + HOUR

    play.hears(hello(before=play.messages[:2]))

    kinds = [message.type for message in play.messages[3:]]
    assert kinds == [
        HandshakeType.SERVER_HELLO,
        HandshakeType.ENCRYPTED_EXTENSIONS,
        HandshakeType.CERTIFICATE_REQUEST,
        HandshakeType.CERTIFICATE,
    ]
    assert PSK_EXTENSION not in ServerHello.read(play.messages[3].body).extensions


def test_the_certificate_is_chosen_late_by_all_schemes_of_the_hello():
    """Some clients list thousands of schemes, and what we can do may be far behind."""
    schemes = (*range(0x3000, 0x3100), tls.SignatureScheme.ecdsa_secp256r1_sha256)
    offering = {ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list(schemes)}
    play = server()
    meets(play, hello({**offering, **ASKING}))
    play.state.context.config.tickets.clock.now = NOW + HOUR

    play.hears(hello(offering, before=play.messages[:2]))

    assert play.messages[-1].type == HandshakeType.CERTIFICATE


# The client


TICKET = tls.SessionTicket(SESSION, b"ticket", ticket_age_add=5, received_at=NOW)


def client(**config):
    wanted = {"groups": (X25519,), "key_shares": (X25519,), "clock": Clock(NOW + 1), **config}
    context = ClientContext(
        tls.ClientConfig(PROVIDER, **wanted), KeyExchanges(PROVIDER), entropy, TICKET
    )
    offer = ClientOffer.make(context)
    return Play(WaitServerHello(context, offer), [offer.hello.message()])


def assert_bound(hello, before=()):
    data = hello.extensions[PSK_EXTENSION]
    psks = OfferedPsks.read(data)
    binder = Schedule("sha384", b"", PSK).binder(psks.truncate(hello.message()), before)
    assert psks == OfferedPsks((PskIdentity(b"ticket", 1005),), (binder,))
    assert list(hello.extensions)[-1] == PSK_EXTENSION
    assert hello.extensions[ExtensionType.PSK_KEY_EXCHANGE_MODES] == b"\1\1"


SELECTED = {PSK_EXTENSION: b"\0\0"}


def test_the_hello_of_a_resumption_is_bound_to_its_ticket():
    assert_bound(client().state.offer.hello)


def test_a_server_that_resumes_is_believed_by_its_finished_alone(schedule):
    play = client()

    answer = play.hears(server_hello(SELECTED).message())

    sending = schedule.traffic("CLIENT_HANDSHAKE_TRAFFIC_SECRET", play.messages)
    receiving = schedule.traffic("SERVER_HANDSHAKE_TRAFFIC_SECRET", play.messages)
    assert answer == (SendChangeCipherSpec(), UseSendSecret(sending), UseReceiveSecret(receiving))
    assert play.hears(EncryptedExtensions({}).message()) == ()
    assert isinstance(play.state, WaitServerFinished)
    completed = play.hears(schedule.finished(receiving, play.messages))
    flight = play.messages[:-1]
    assert completed == (
        SendHandshake(schedule.finished(sending, flight)),
        UseSendSecret(schedule.traffic("CLIENT_TRAFFIC_SECRET_0", flight)),
        UseReceiveSecret(schedule.traffic("SERVER_TRAFFIC_SECRET_0", flight)),
        schedule.exporter(flight),
        HandshakeComplete(resumed(group=X25519, hello_retry=False)),
    )
    assert play.state == ClientConnected()


def test_a_server_that_does_not_resume_shows_its_certificate():
    play = client()
    play.hears(server_hello().message())
    play.hears(EncryptedExtensions({}).message())

    assert play.state.expects == {HandshakeType.CERTIFICATE, HandshakeType.CERTIFICATE_REQUEST}
    assert not play.state.progress.negotiated.resumed


def test_the_second_hello_is_bound_anew_and_still_ends_with_its_ticket():
    play = client(groups=(P256, X25519), key_shares=(P256,))
    asked = {SHARE: b"\0\x1d", ExtensionType.COOKIE: b"\0\1c"}

    play.hears(server_hello(asked, random=RETRY_RANDOM).message())

    assert_bound(play.state.offer.hello, play.messages[:2])


def test_a_retry_under_another_hash_drops_the_ticket():
    """It could not be resumed: a second hello may leave such keys out (§4.2.2)."""
    play = client(groups=(P256, X25519), key_shares=(P256,))

    retry = server_hello({SHARE: b"\0\x1d"}, random=RETRY_RANDOM, cipher_suite=0x1301)
    play.hears(retry.message())

    assert PSK_EXTENSION not in play.state.offer.hello.extensions
    assert play.state.offer.ticket is None


def test_a_ticket_of_the_server_is_reported_and_one_that_ends_at_once_is_not():
    suite = SUITES[SESSION.cipher_suite]
    taker = TicketTaker(Clock(), suite, tls.Secret(bytes(48)), PROOF)
    play = Play(ClientConnected(taker))

    (reported,) = play.hears(NewSessionTicket(HOUR, 9, b"n", b"new", {}).message())

    assert isinstance(reported, ReportTicket)
    assert reported.ticket.session.authentication == PROOF
    assert reported.ticket.ticket == b"new"
    assert play.hears(NewSessionTicket(0, 9, b"n", b"new", {}).message()) == ()
    assert play.state == ClientConnected(taker)
