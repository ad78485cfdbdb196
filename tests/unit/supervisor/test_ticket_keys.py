from itertools import count

from pqproxy import tls
from pqproxy.supervisor.ticket_keys import TICKET_KEY_PERIOD, TicketKeyRing


def ring():
    numbers = count(1)
    return TicketKeyRing(lambda length: bytes([next(numbers)]) * length)


def test_the_first_key_is_there_from_the_start():
    assert ring().encode() == ["01" * 32]


def test_a_new_key_seals_and_the_one_before_it_still_opens():
    keys = ring()
    keys.rotate()
    assert keys.encode() == ["02" * 32, "01" * 32]
    keys.rotate()

    assert keys.encode() == ["03" * 32, "02" * 32]


def test_keys_are_random():
    assert TicketKeyRing().encode() != TicketKeyRing().encode()


def test_a_key_that_was_replaced_is_kept_for_as_long_as_its_last_ticket_lives():
    assert TICKET_KEY_PERIOD >= tls.TICKET_LIFETIME
    assert len(bytes.fromhex(ring().encode()[0])) == tls.TICKET_KEY_LENGTH


def test_keys_are_not_printed():
    assert "01" * 8 not in repr(ring())
