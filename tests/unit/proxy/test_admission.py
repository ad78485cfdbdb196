from dataclasses import replace

import pytest

from pqproxy.config.values import ConnectionLimits
from pqproxy.proxy.admission import PATIENCE, Admission, source_of

LIMITS = ConnectionLimits(connections=5, handshakes=3, handshakes_per_source=2)


def test_handshakes_of_one_source_are_capped_and_others_come_in():
    admission = Admission(LIMITS)
    assert admission.ask("a")
    assert admission.ask("a")

    assert admission.ask("a") is None
    assert admission.ask("b")


def test_handshakes_are_capped_in_total():
    admission = Admission(LIMITS, clock=lambda: 0.0)
    places = [admission.ask(source) for source in "abc"]
    assert all(places)

    assert admission.ask("d") is None
    places[0].handshake_over()
    assert admission.ask("d")


def test_a_newcomer_gets_the_place_of_the_handshake_that_dawdles_longest():
    """Else a few hundred silent strangers would keep everybody out until they time out."""
    now = 0.0
    admission = Admission(replace(LIMITS, connections=9), clock=lambda: now)
    told = []
    places = []
    for source in "abc":
        place = admission.ask(source)
        place.on_given_up(lambda source=source: told.append(source))
        places.append(place)
        now += 0.1
    places[0].handshake_over()
    assert admission.ask("d")
    assert admission.ask("e") is None, "nobody had a second yet"
    assert told == []

    now = 0.1 + PATIENCE
    assert admission.ask("e")
    assert told == ["b"]
    assert places[1].given_up
    assert admission.handshakes == LIMITS.handshakes
    assert admission.full("f") == "handshakes: 3", "the next oldest has a moment left"
    places[1].leave()
    assert admission.handshakes == LIMITS.handshakes


def test_a_place_given_up_before_anybody_asked_is_told_at_once():
    place = Admission(LIMITS).ask("a")
    place.give_up()
    told = []
    place.on_given_up(lambda: told.append(True))
    assert told == [True]


def test_connections_are_capped_after_their_handshakes_too():
    admission = Admission(LIMITS)
    places = []
    for _ in range(5):
        places.append(admission.ask("a"))
        places[-1].handshake_over()
    assert admission.ask("b") is None

    places[0].leave()
    assert admission.ask("b")


def test_the_limit_that_keeps_somebody_out_is_named_by_its_key():
    admission = Admission(LIMITS)
    assert admission.full("a") is None
    admission.ask("a")
    admission.ask("a")
    assert admission.full("a") == "handshakes_per_source: 2"
    admission.ask("b")
    assert admission.full("b") == "handshakes: 3"

    places = Admission(LIMITS)
    for _ in range(5):
        places.ask("a").handshake_over()
    assert places.full("c") == "connections: 5"


def test_workers_share_the_connections_and_each_has_its_own_handshakes():
    """Rounded up: with fewer connections than workers each may hold one."""
    admission = Admission(LIMITS, workers=2)
    for _ in range(3):
        assert admission.full("a") is None
        admission.ask("a").handshake_over()
    assert admission.full("b") == "connections: 5, shared by 2 workers"

    admission = Admission(ConnectionLimits(1000, 3, 2), workers=50)
    admission.ask("a")
    admission.ask("a")
    assert admission.full("a") == "handshakes_per_source: 2"


def test_leaving_twice_frees_one_place():
    admission = Admission(LIMITS)
    place = admission.ask("a")
    for _ in range(2):
        place.handshake_over()
        place.leave()

    assert (admission.connections, admission.handshakes) == (0, 0)


def test_a_source_that_is_gone_is_forgotten():
    admission = Admission(ConnectionLimits())
    for number in range(1000):
        admission.ask(str(number) if number < 512 else "x")

    places = [Admission(LIMITS).ask("a")]
    places[0].leave()
    assert not places[0]._admission._per_source


@pytest.mark.parametrize(
    ("host", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_what_counts_as_one_source(host, source):
    assert source_of(host) == source


def test_new_limits_count_whoever_is_in_already():
    admission = Admission(LIMITS)
    place = admission.ask("a")
    admission.limits = ConnectionLimits(connections=1)

    assert admission.ask("b") is None
    assert admission.full("b") == "connections: 1"
    place.leave()
    assert admission.ask("b")


def test_a_place_knows_whose_it_is():
    """Evidence names who has no certificate by it."""
    assert Admission(ConnectionLimits()).ask("10.0.0.1").source == "10.0.0.1"
