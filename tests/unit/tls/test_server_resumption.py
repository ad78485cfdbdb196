import os

import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import ExtensionType, NamedGroup
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_schedule import SUITES, EarlySecret, MainSecret
from pqproxy.tls.messages import NewSessionTicket
from pqproxy.tls.pre_shared_key import OfferedPsks, PskIdentity
from pqproxy.tls.server_resumption import MAX_IDENTITIES, TicketOffice, find_session
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, credential
from tests.support.playbook import Schedule, client_hello
from tests.support.resumption import HOUR, NOW, Clock, tickets

SHA384, SHA256 = tls.CipherSuite.TLS_AES_256_GCM_SHA384, tls.CipherSuite.TLS_AES_128_GCM_SHA256
REQUIRE, REQUEST = tls.ClientAuthentication.REQUIRE, tls.ClientAuthentication.REQUEST
PSK = b"k" * 48
HYBRID = NamedGroup.X25519MLKEM768
SUITE = SUITES[SHA384]
TRANSCRIPT = Transcript(SUITE)


def config(asks=REQUIRE, **changes):
    wanted = {"tickets": tickets(Clock()), "client_authentication": asks, **changes}
    return tls.ServerConfig((credential(leaf()),), PROVIDER, **wanted)


def ticket(chain=(b"leaf",), suite=SHA384, end=NOW + HOUR):
    proof = tls.Authentication.made(chain, b"who", NOW)
    session = tls.Session(suite, tls.Secret(PSK), proof, end)
    return tickets(Clock()).seal(session, os.urandom)


def hello(*identities, modes=b"\1\1", binder=bytes(48)):
    psks = OfferedPsks(
        tuple(PskIdentity(identity, 0) for identity in identities), (binder,) * len(identities)
    )
    return client_hello(
        {ExtensionType.PSK_KEY_EXCHANGE_MODES: modes, ExtensionType.PRE_SHARED_KEY: psks.write()}
    )


def found(offered, protocol=None, **changes):
    return find_session(config(**changes), offered, SUITE, protocol)


def test_a_ticket_of_ours_is_found():
    resumption = found(hello(ticket()))

    assert resumption.session.authentication.identity == b"who"
    assert resumption.selected_identity == 0


def test_the_first_ticket_that_is_good_is_found_among_others():
    resumption = found(hello(b"of another server", ticket(end=NOW), ticket()))

    assert resumption.selected_identity == 2


def test_only_the_first_few_tickets_are_looked_at():
    """A hello may list hundreds; opening each would be work for nothing."""
    unknown = [b"unknown"] * MAX_IDENTITIES

    assert found(hello(*unknown[1:], ticket())) is not None
    assert found(hello(*unknown, ticket())) is None


@pytest.mark.parametrize(
    ("offered", "changes"),
    [
        (client_hello(), {}),
        (hello(ticket()), {"tickets": None}),
        (hello(ticket(), modes=b"\1\0"), {}),
        (hello(ticket(suite=SHA256)), {}),
        (hello(ticket(chain=())), {}),
        (hello(ticket(end=NOW)), {}),
    ],
    ids=[
        "nothing offered",
        "no tickets here",
        "without a key exchange",
        "another hash",
        "anonymous",
        "ended",
    ],
)
def test_what_does_not_fit_is_passed_over(offered, changes):
    assert found(offered, **changes) is None


@pytest.mark.parametrize("asks", [REQUEST, tls.ClientAuthentication.NONE])
def test_an_anonymous_client_resumes_where_it_could_come_in_anonymously(asks):
    assert found(hello(ticket(chain=())), asks=asks) is not None


def test_an_anonymous_client_does_not_resume_into_a_protocol_that_wants_to_know_it():
    """Else a ticket that was given for less would let it in."""
    strict = {"asks": REQUEST, "certificate_protocols": (b"x",)}

    assert found(hello(ticket(chain=())), b"x", **strict) is None
    assert found(hello(ticket(chain=())), b"y", **strict) is not None
    assert found(hello(ticket()), b"x", **strict) is not None


def bound_hello():
    offered = hello(ticket())
    truncated = found(offered).psks.truncate(offered.message())
    binder = Schedule("sha384", b"", PSK).binder(truncated)
    data = offered.extensions[ExtensionType.PRE_SHARED_KEY][:-48] + binder
    return client_hello({**offered.extensions, ExtensionType.PRE_SHARED_KEY: data})


def test_a_right_binder_passes():
    offered = bound_hello()

    assert found(offered).check_binder(TRANSCRIPT, offered.message()) is None


@pytest.mark.parametrize("position", [10, 60, -1], ids=["random", "suites", "binder"])
def test_a_binder_holds_for_one_hello_only(position):
    offered = bound_hello()
    changed = bytearray(offered.message().body)
    changed[position] ^= 1
    read = type(offered).read(bytes(changed))

    with pytest.raises(FatalAlert) as caught:
        found(read).check_binder(TRANSCRIPT, read.message())

    assert caught.value.description is AlertDescription.DECRYPT_ERROR


# Giving


def main_secret():
    handshake = EarlySecret.without_psk(SUITE).handshake_secret(tls.Secret(bytes(32)))
    return handshake.main_secret()


def negotiated(resumed=False, proof=None):
    return tls.Negotiated(
        HYBRID, SHA384, None, None, (), None, None, False, resumed=resumed, authentication=proof
    )


def given(clock=None, **facts):
    """The tickets of one connection, and the office's own view of them."""
    made = tickets(clock or Clock())
    office = TicketOffice(made, os.urandom, main_secret())
    messages = [
        NewSessionTicket.read(action.message.body)
        for action in office.give(TRANSCRIPT, negotiated(**facts))
    ]
    return messages, made


def test_a_full_handshake_earns_two_tickets_and_a_resumption_one():
    assert len(given()[0]) == 2
    assert len(given(resumed=True)[0]) == 1


def test_each_ticket_has_a_nonce_an_offset_and_a_key_of_its_own():
    messages, made = given()
    sessions = [made.open(message.ticket) for message in messages]

    assert len({message.ticket_nonce for message in messages}) == 2
    assert len({message.ticket_age_add for message in messages}) == 2
    assert sessions[0].psk != sessions[1].psk
    schedule = Schedule("sha384", bytes(32))
    for message, session in zip(messages, sessions, strict=True):
        assert session.psk.expose() == schedule.ticket_psk([], message.ticket_nonce)
        assert message.extensions == {}  # above all no early_data


def test_a_ticket_lives_eight_hours_and_no_longer_than_the_proof():
    clock = Clock()
    (first, _), made = given(clock)
    proof = made.open(first.ticket).authentication
    clock.now = NOW + 20 * HOUR
    (later,), made = given(clock, resumed=True, proof=proof)

    assert first.ticket_lifetime == 8 * HOUR
    assert made.open(first.ticket) is None
    assert later.ticket_lifetime == 4 * HOUR
    assert made.open(later.ticket).authentication == proof  # copied, never renewed


def test_a_proof_that_has_ended_earns_no_ticket():
    clock = Clock()
    (first, _), made = given(clock)
    proof = made.open(first.ticket).authentication
    clock.now = NOW + 24 * HOUR

    assert given(clock, resumed=True, proof=proof)[0] == []


@pytest.mark.parametrize(
    ("group", "changes", "gives"),
    [
        (HYBRID, {}, True),
        (NamedGroup.x25519, {}, False),
        (HYBRID, {"tickets": None}, False),
    ],
)
def test_only_a_post_quantum_connection_earns_tickets(group, changes, gives):
    """The keys of tickets travel in it: recorded, it would give them away one day."""
    main: MainSecret = main_secret()
    office = TicketOffice.of(config(**changes), os.urandom, main, group)

    assert (office is not None) is gives
