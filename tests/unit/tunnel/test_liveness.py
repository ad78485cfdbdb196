"""Silence is asked about, and then believed."""

import pytest

from pqproxy.tunnel.liveness import Liveness
from pqproxy.tunnel.outbox import Outbox


@pytest.fixture
def outbox():
    return Outbox(16_384)


def test_ten_seconds_of_silence_are_asked_about_and_thirty_are_death(outbox):
    liveness = Liveness(outbox, now=0.0)

    assert liveness.look(9.9)
    assert outbox.ping is None
    assert liveness.look(10.0)
    assert outbox.ping is not None
    assert liveness.look(29.9)
    assert not liveness.look(30.0)


def test_any_record_is_life(outbox):
    liveness = Liveness(outbox, now=0.0)
    liveness.heard(25.0)

    assert liveness.look(54.9)
    assert not liveness.look(55.0)


def test_an_answer_tells_the_round_trip(outbox):
    liveness = Liveness(outbox, now=0.0)
    liveness.ping(1.0)
    payload, outbox.ping = outbox.ping, None
    liveness.ponged(payload, 1.25)

    assert liveness.round_trip == liveness.shortest == 0.25


def test_the_shortest_round_trip_is_remembered(outbox):
    liveness = Liveness(outbox, now=0.0)
    for sent, answered in ((1.0, 1.5), (2.0, 2.125), (3.0, 3.25)):
        liveness.ping(sent)
        payload, outbox.ping = outbox.ping, None
        liveness.ponged(payload, answered)

    assert liveness.round_trip == 0.25
    assert liveness.shortest == 0.125


@pytest.mark.parametrize("answer", [b"\0" * 8, b"\xff" * 8])
def test_an_answer_to_nothing_tells_nothing(outbox, answer):
    liveness = Liveness(outbox, now=0.0)
    liveness.ping(1.0)
    outbox.ping = None

    assert not liveness.ponged(answer, 2.0)
    assert liveness.round_trip is None


def test_a_ping_that_has_not_left_is_not_answered(outbox):
    liveness = Liveness(outbox, now=0.0)
    liveness.ping(1.0)
    liveness.ponged(outbox.ping, 1.5)

    assert liveness.round_trip is None


def test_a_mark_is_passed_by_its_answer_and_by_those_of_later_pings(outbox):
    liveness = Liveness(outbox, now=0.0)
    liveness.ping(1.0)
    early = outbox.ping
    liveness.mark(2.0)
    liveness.ping(3.0)
    late = outbox.ping

    assert not liveness.ponged(early, 4.0)
    assert liveness.ponged(late, 4.0)
