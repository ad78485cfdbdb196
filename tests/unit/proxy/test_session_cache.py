from dataclasses import replace

import pytest

from pqproxy import tls
from pqproxy.config.values import TcpAddress
from pqproxy.proxy.session_cache import MAX_KEYS, MAX_SESSIONS, SessionCache, SessionKey
from tests.support.resumption import HOUR, NOW

KEY = SessionKey(TcpAddress("llm", 8443), "llm", (b"http/1.1",), (b"leaf",), b"binding")
PROOF = tls.Authentication.made((b"leaf",), b"who", NOW)


def ticket(number=0, end=NOW + HOUR, received_at=NOW):
    session = tls.Session(tls.CipherSuite.TLS_AES_128_GCM_SHA256, tls.Secret(bytes(32)), PROOF, end)
    return tls.SessionTicket(session, b"%d" % number, 0, received_at)


def holding(*tickets, key=KEY):
    cache = SessionCache()
    for one in tickets:
        cache.keep(key, one)
    return cache


def taken(cache, now=NOW, key=KEY):
    found = []
    while (one := cache.take(key, now)) is not None:
        found.append(int(one.ticket))
    return found


def test_each_ticket_is_given_once_the_newest_first():
    """Twice the same on the wire would tell an observer that it is us again (§C.4)."""
    assert taken(holding(ticket(1), ticket(2), ticket(3))) == [3, 2, 1]


def test_no_more_than_eight_are_kept_the_newest():
    """A server can send as many as it likes."""
    cache = holding(*map(ticket, range(1000)))

    assert taken(cache) == list(range(999, 999 - MAX_SESSIONS, -1))
    assert MAX_SESSIONS == 8


@pytest.mark.parametrize(
    "other",
    [
        {"endpoint": TcpAddress("other", 8443)},
        {"server_name": None},
        {"alpn_protocols": ()},
        {"own_certificates": (b"another leaf",)},
        {"binding": b"other expectations"},
    ],
)
def test_a_ticket_is_good_for_its_own_key_only(other):
    assert taken(holding(ticket()), key=replace(KEY, **other)) == []


def test_what_has_ended_is_passed_over_and_let_go():
    cache = holding(ticket(1, end=NOW + 10), ticket(2, end=NOW + 5))

    assert taken(cache, NOW + 5) == [1]
    assert taken(holding(ticket(1, end=NOW)), NOW) == []


def test_a_clock_that_was_set_back_makes_a_ticket_worthless():
    assert taken(holding(ticket(received_at=NOW + 1)), NOW) == []


def test_keys_are_bounded_and_the_one_unused_for_longest_goes():
    cache = SessionCache()
    keys = [replace(KEY, binding=b"%d" % number) for number in range(MAX_KEYS)]
    for key in keys:
        cache.keep(key, ticket())
    cache.keep(keys[0], ticket())
    cache.keep(replace(KEY, binding=b"one more"), ticket())

    assert taken(cache, key=keys[1]) == []
    assert taken(cache, key=keys[0]) == [0, 0]


def test_tickets_can_be_forgotten_by_key_or_all():
    other = replace(KEY, server_name="other")
    cache = holding(ticket())
    cache.keep(other, ticket(7))
    cache.forget(KEY)
    assert taken(cache) == []
    assert cache.take(other, NOW).ticket == b"7"
    cache.keep(other, ticket())
    cache.clear()

    assert taken(cache, key=other) == []
