import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy import tls
from pqproxy.tls.tickets import MAX_TICKET, TICKET_KEY_LENGTH, TICKET_LIFETIME
from tests.support.resumption import HOUR, KEY, NOW, Clock, tickets

OTHER_KEY = bytes(32)
IDENTITY = b'["spiffe://corp/ns/apps/sa/app"]'


def session(identity=IDENTITY, end=NOW + HOUR, suite=tls.CipherSuite.TLS_AES_256_GCM_SHA384):
    kind = "mldsa65-ecdsa-p256"
    proof = tls.Authentication.made((b"leaf",), identity, NOW, key_algorithm=kind)
    return tls.Session(suite, tls.Secret(b"k" * 48), proof, end)


def sealed(keys=(KEY,), **changes):
    return tickets(Clock(), keys).seal(session(**changes), os.urandom)


@pytest.mark.parametrize("suite", list(tls.CipherSuite))
def test_a_session_is_what_it_was_when_its_ticket_is_opened(suite):
    assert tickets(Clock()).open(sealed(suite=suite)) == session(suite=suite)


def test_a_ticket_has_about_200_bytes():
    """It goes out with every connection and comes back with every resumption."""
    assert 150 < len(sealed()) < 220


def test_two_tickets_of_one_session_have_nothing_in_common_but_the_name_of_their_key():
    first, second = sealed(), sealed()

    assert first[:8] == second[:8]
    assert first[8:20] != second[8:20]
    assert b"spiffe" not in first


def test_a_ticket_does_not_open_under_another_binding():
    """Another policy, trust or listener: as if it had never been ours."""
    assert tickets(Clock(), binding=b"other policy").open(sealed()) is None


def test_a_ticket_does_not_open_under_another_key():
    assert tickets(Clock(), keys=(OTHER_KEY,)).open(sealed()) is None
    assert tickets(Clock(), keys=()).open(sealed()) is None


def test_without_a_key_no_ticket_is_sealed():
    assert sealed(keys=()) is None


def test_a_key_that_was_replaced_still_opens_and_seals_no_more():
    keys = tls.TicketKeys((KEY,))
    made = tls.Tickets(keys, b"policy", Clock(), lambda _: True)
    old = made.seal(session(), os.urandom)
    keys.replace((OTHER_KEY, KEY))
    new = made.seal(session(), os.urandom)

    assert made.open(old) == made.open(new) == session()
    assert old[:8] != new[:8]
    keys.replace((OTHER_KEY,))
    assert made.open(old) is None


def test_a_ticket_ends_when_its_session_does():
    clock = Clock()
    made = tickets(clock)
    ticket = sealed()
    clock.now = NOW + HOUR - 1
    assert made.open(ticket) is not None
    clock.now = NOW + HOUR

    assert made.open(ticket) is None


def test_a_ticket_of_somebody_who_may_come_in_no_more_is_none():
    asked = []

    def permits(proof):
        asked.append(proof)
        return False

    assert tickets(Clock(), permits=permits).open(sealed()) is None
    assert asked == [session().authentication]


@pytest.mark.parametrize("length", [MAX_TICKET, 2**16])
def test_a_peer_with_too_many_names_gets_no_ticket(length):
    """Nothing of it may be cut off: it might be the name that is not allowed."""
    assert sealed(identity=b"x" * length) is None


@given(st.integers(0, 400), st.integers(1, 255))
def test_a_ticket_that_was_changed_anywhere_is_none(position, mask):
    ticket = bytearray(sealed())
    ticket[position % len(ticket)] ^= mask

    assert tickets(Clock()).open(bytes(ticket)) is None


@given(st.binary(max_size=300), st.booleans())
def test_any_bytes_are_no_ticket_and_no_error(data, ours_by_name):
    name = sealed()[:8] if ours_by_name else b""

    assert tickets(Clock()).open(name + data) is None


@given(st.binary(max_size=200))
def test_what_another_version_of_us_sealed_is_no_ticket_and_no_error(content):
    keys = tls.TicketKeys((KEY,))
    ticket = keys.seal(content, b"policy", os.urandom)

    assert tls.Tickets(keys, b"policy", Clock(), lambda _: True).open(ticket) is None


def test_neither_keys_nor_tickets_print_a_secret():
    text = repr(tickets(Clock())) + repr(tls.TicketKeys((KEY,))) + str(vars(tls.TicketKeys))

    assert KEY.hex() not in text
    assert repr(KEY)[2:-1] not in text


def test_a_key_is_256_bits_and_a_ticket_lives_eight_hours():
    assert TICKET_KEY_LENGTH == 32
    assert TICKET_LIFETIME == 8 * HOUR
