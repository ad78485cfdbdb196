from types import SimpleNamespace

import pytest

from pqproxy.config.values import Timeouts
from pqproxy.proxy import vigil as vigils
from pqproxy.proxy.vigil import Vigil, Vigils
from pqproxy.telemetry.reasons import EndReason


class Clock:
    """A loop whose time passes by hand."""

    def __init__(self):
        self.now, self.timers, self.soon = 0.0, [], []

    def time(self):
        return self.now

    def call_later(self, seconds, callback):
        timer = SimpleNamespace(at=self.now + seconds, call=callback)
        self.timers.append(timer)
        return timer

    def call_soon(self, callback, *args):
        self.soon.append((callback, args))

    def pass_time(self, seconds):
        end = self.now + seconds
        while due := sorted((t for t in self.timers if t.at <= end), key=lambda t: t.at):
            self.timers.remove(due[0])
            self.now = due[0].at
            due[0].call()
        self.now = end


class Cut:
    """Something with two flows that remembers why it was cut."""

    def __init__(self, vigil):
        self.vigil, self.reasons = vigil, []
        self.flows = [SimpleNamespace(delivered=100), SimpleNamespace(delivered=0)]

    def cut(self, reason):
        self.reasons.append(reason)
        self.vigil.end(self)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def vigil(clock):
    return Vigil(clock, 8.0, EndReason.IDLE_TIMEOUT)


def test_what_stands_still_is_cut_at_its_limit_or_a_quarter_later(clock, vigil):
    first, second = Cut(vigil), Cut(vigil)
    vigil.begin(first, *first.flows)
    clock.pass_time(0.5)
    vigil.begin(second, *second.flows)
    clock.pass_time(7.4)
    assert not first.reasons
    clock.pass_time(0.2)

    assert first.reasons == [EndReason.IDLE_TIMEOUT]
    assert not second.reasons
    clock.pass_time(2.0)
    assert second.reasons == [EndReason.IDLE_TIMEOUT]


def test_any_of_its_flows_keeps_it_alive(clock, vigil):
    moving = Cut(vigil)
    vigil.begin(moving, *moving.flows)
    for position in (0, 1, 0, 1):
        clock.pass_time(7.0)
        moving.flows[position].delivered += 1
    assert not moving.reasons
    clock.pass_time(11.0)

    assert moving.reasons


def test_after_the_first_byte_means_after_one_that_came_since(clock, vigil):
    """What was sent before the watch began is no beginning of an answer."""
    answer = Cut(vigil)
    vigil.begin_after_next(answer, answer.flows[0])
    clock.pass_time(100.0)
    assert not answer.reasons

    answer.flows[0].delivered += 1
    clock.pass_time(12.0)
    assert answer.reasons


def test_a_first_byte_before_the_first_look_counts_too(clock, vigil):
    answer = Cut(vigil)
    vigil.begin_after_next(answer, answer.flows[0])
    answer.flows[0].delivered += 1
    clock.pass_time(12.0)

    assert answer.reasons


def test_one_timer_serves_all_and_rests_when_there_is_nobody(clock, vigil):
    several = [Cut(vigil) for _ in range(5)]
    for one in several:
        vigil.begin(one, *one.flows)
    assert len(clock.timers) == 1
    for one in several:
        vigil.end(one)
        vigil.end(one)
    clock.pass_time(2.0)

    assert not clock.timers
    assert not len(vigil)


def test_to_look_at_many_takes_several_turns(clock, vigil, monkeypatch):
    """Ten thousand idle connections must not hold up a token."""
    monkeypatch.setattr(vigils, "_TURN", 0.0)
    several = [Cut(vigil) for _ in range(3)]
    for one in several:
        vigil.begin(one, *one.flows)
    turns = 0
    while not all(one.reasons for one in several):
        clock.pass_time(2.0)
        while clock.soon:
            callback, args = clock.soon.pop(0)
            before = sum(len(one.reasons) for one in several)
            callback(*args)
            turns += 1
            assert sum(len(one.reasons) for one in several) <= before + 1

    assert turns >= 4 * 3 - 1


def test_without_a_limit_nobody_watches(clock):
    assert Vigils(Timeouts(idle=None, half_close=None), clock).idle is None
    assert Vigils(Timeouts(idle=None, half_close=None), clock).half_close is None
