import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.client_resumption import TicketTaker, accepted_session, fits, offer_ticket
from pqproxy.tls.codepoints import ExtensionType, NamedGroup
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_schedule import SUITES, EarlySecret
from pqproxy.tls.messages import NewSessionTicket
from pqproxy.tls.pre_shared_key import OfferedPsks
from tests.support.playbook import Schedule, client_hello
from tests.support.resumption import HOUR, NOW, Clock

SHA384, SHA256 = tls.CipherSuite.TLS_AES_256_GCM_SHA384, tls.CipherSuite.TLS_AES_128_GCM_SHA256
SUITE = SUITES[SHA384]
PROOF = tls.Authentication.made((b"leaf",), b"who", NOW)
SESSION = tls.Session(SHA384, tls.Secret(b"k" * 48), PROOF, NOW + HOUR)
TICKET = tls.SessionTicket(SESSION, b"ticket", ticket_age_add=5, received_at=NOW - 2)
SHARE = {ExtensionType.KEY_SHARE: b""}


def selecting(index):
    return {**SHARE, ExtensionType.PRE_SHARED_KEY: index.to_bytes(2, "big")}


def test_a_ticket_is_offered_with_its_hidden_age():
    hello = offer_ticket(client_hello(), TICKET, Clock())
    (identity,) = OfferedPsks.read(hello.extensions[ExtensionType.PRE_SHARED_KEY]).identities

    assert identity.identity == b"ticket"
    assert identity.obfuscated_ticket_age == 2005


def test_a_ticket_fits_a_suite_of_its_hash():
    assert fits(TICKET, SUITE)
    assert not fits(TICKET, SUITES[SHA256])


def test_the_session_that_was_offered_is_the_one_that_is_resumed():
    assert accepted_session(selecting(0), TICKET, SHA384) is SESSION
    assert accepted_session(SHARE, TICKET, SHA384) is None
    assert accepted_session(SHARE, None, SHA384) is None


@pytest.mark.parametrize(
    ("answered", "suite"),
    [
        (selecting(1), SHA384),
        (selecting(0), SHA256),
        ({ExtensionType.PRE_SHARED_KEY: b"\0\0"}, SHA384),
    ],
    ids=["a ticket that there is not", "another hash", "no key exchange"],
)
def test_an_answer_that_does_not_fit_the_offer_is_refused(answered, suite):
    with pytest.raises(FatalAlert) as caught:
        accepted_session(answered, TICKET, suite)

    assert caught.value.description is AlertDescription.ILLEGAL_PARAMETER


# Taking


def taker(group=NamedGroup.X25519MLKEM768, proof=PROOF, clock=None):
    handshake = EarlySecret.without_psk(SUITE).handshake_secret(tls.Secret(bytes(32)))
    agreed = tls.Negotiated(group, SHA384, None, None, (), None, None, False, authentication=proof)
    return TicketTaker.of(clock, agreed, handshake.main_secret(), Transcript(SUITE))


def given(lifetime):
    return NewSessionTicket(lifetime, 5, b"nonce", b"ticket", {})


def test_a_ticket_is_taken_with_the_key_that_its_nonce_makes():
    clock = Clock()
    ticket = taker(clock=clock).take(given(HOUR))

    schedule = Schedule("sha384", bytes(32))
    assert ticket.session.psk.expose() == schedule.ticket_psk([], b"nonce")
    assert ticket.session.authentication == PROOF
    assert ticket.session.end == NOW + HOUR
    assert (ticket.ticket, ticket.ticket_age_add, ticket.received_at) == (b"ticket", 5, NOW)


def test_a_ticket_is_not_used_longer_than_the_servers_proof_counts():
    """Whatever it says: a day at most, though the standard allows a week."""
    ticket = taker(clock=Clock(NOW + 23 * HOUR)).take(given(2**32 - 1))

    assert ticket.session.end == PROOF.end == NOW + 24 * HOUR


@pytest.mark.parametrize(("lifetime", "now"), [(0, NOW), (HOUR, NOW + 24 * HOUR)])
def test_a_ticket_that_ends_at_once_is_not_taken(lifetime, now):
    assert taker(clock=Clock(now)).take(given(lifetime)) is None


@pytest.mark.parametrize(
    "changes",
    [{"clock": None}, {"group": NamedGroup.x25519}, {"proof": None}],
    ids=["unwanted", "classical", "unproved"],
)
def test_no_ticket_is_taken_where_none_is_good(changes):
    assert taker(**{"clock": Clock(), **changes}) is None
