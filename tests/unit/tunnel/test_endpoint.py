"""What one address lacks, has too much of, and how long a failure keeps everybody away."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.tunnel.endpoint import (
    FIRST_WAIT,
    LONGEST_WAIT,
    LONGEST_WAIT_AFTER_REFUSAL,
    SOONEST_REPLACEMENT,
    STABLE,
    Endpoint,
    Parting,
    Plan,
    Trouble,
    back_off,
)

REFUSED = Trouble("connection refused", "upstream_down", "start it")
RESET = Trouble("it was reset", "upstream_down", "see its log")


def middle():
    return 0.5


def endpoint(**plan):
    return Endpoint(Plan(**plan), middle)


def dialled(one, tunnel, instance=1, ends_at=math.inf, now=0.0):
    one.dial(now)
    one.dialling = False
    one.up(tunnel, instance, ends_at, now)


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_a_wait_grows_up_to_its_limit_and_is_never_less_than_half(failures, chance):
    """However long an endpoint is down: nothing overflows, and two egresses do not fall in step."""
    wait = back_off(failures, LONGEST_WAIT, lambda: chance)

    assert FIRST_WAIT / 2 <= wait <= LONGEST_WAIT
    assert wait >= back_off(max(1, failures - 1), LONGEST_WAIT, lambda: chance)


def test_it_is_dialled_until_it_has_as_many_as_were_asked_for():
    one = endpoint(count=2)
    assert one.next_dial(alone=False) == -math.inf
    dialled(one, "first")
    assert one.next_dial(alone=False) == -math.inf
    dialled(one, "second")
    assert one.next_dial(alone=False) == math.inf


def test_one_dial_at_a_time():
    one = endpoint()
    one.dial(0.0)

    assert one.next_dial(alone=True) == math.inf


def test_behind_a_single_address_instances_are_looked_for():
    one = endpoint(spread=3)
    for instance in (7, 8):
        dialled(one, f"to {instance}", instance)
        assert one.next_dial(alone=True) == -math.inf
        assert not one.take_spare(alone=True)
    dialled(one, "to 9", 9)

    assert one.next_dial(alone=True) == math.inf
    assert one.next_dial(alone=False) == math.inf


def test_after_twice_as_many_tries_the_search_ends():
    """A server with one worker answers alike for ever."""
    one = endpoint(spread=4)
    for number in range(8):
        assert one.next_dial(alone=True) == -math.inf
        dialled(one, number, 1)
        assert one.take_spare(alone=True) == ([(number, Parting.SPARE)] if number else [])

    assert one.next_dial(alone=True) == math.inf


def test_a_second_tunnel_to_an_instance_gives_way_to_one_to_another():
    one = endpoint(count=2, spread=2)
    dialled(one, "old", 1)
    dialled(one, "again", 1)
    assert not one.take_spare(alone=True)
    dialled(one, "other", 2)

    assert one.take_spare(alone=True) == [("again", Parting.SPARE)]


def test_tunnels_to_further_instances_are_spare_once_the_name_has_another_address():
    one = endpoint()
    for instance in (1, 2, 3):
        dialled(one, instance, instance)
    assert not one.take_spare(alone=True)

    assert one.take_spare(alone=False) == [(2, Parting.SPARE), (3, Parting.SPARE)]


def test_a_tunnel_of_age_stays_until_its_successor_is_up():
    one = endpoint(max_age=100.0)
    dialled(one, "old")
    assert one.next_age() == 100.0
    one.look_at_ages(100.0)
    assert one.next_dial(alone=False) == -math.inf
    assert not one.take_spare(alone=False)
    one.dial(0.0)
    assert not one.take_spare(alone=False)
    one.dialling = False
    one.up("new", 1, math.inf, 101.0)

    assert one.take_spare(alone=False) == [("old", Parting.REPLACED)]
    assert one.next_age() == 201.0


def test_a_replacement_looks_for_instances_again():
    """Replicas that came since then get their share."""
    one = endpoint(spread=2, max_age=100.0)
    for number in range(4):
        dialled(one, number, 1)
        one.take_spare(alone=True)
    one.look_at_ages(100.0)
    dialled(one, "new", 2, now=100.0)
    assert not one.take_spare(alone=True)
    dialled(one, "newer", 1, now=100.0)

    assert one.take_spare(alone=True) == [(0, Parting.REPLACED)]
    assert one.next_dial(alone=True) == math.inf


@pytest.mark.parametrize(("left", "replaced_after"), [(3600.0, 3540.0), (100.0, 90.0)])
def test_a_tunnel_is_replaced_before_a_certificate_ends(left, replaced_after):
    one = endpoint(max_age=None)
    dialled(one, "tunnel", ends_at=1000.0 + left, now=1000.0)

    assert one.next_age() == pytest.approx(1000.0 + replaced_after)


def test_one_whose_certificate_is_about_to_end_is_not_replaced_again_and_again():
    one = endpoint()
    dialled(one, "tunnel", ends_at=SOONEST_REPLACEMENT + 0.01)

    assert one.next_age() == SOONEST_REPLACEMENT


def test_one_whose_certificate_ends_sooner_than_that_ends_with_it():
    one = endpoint()
    dialled(one, "tunnel", ends_at=0.01)

    assert one.next_age() == 0.01


def test_what_is_allowed_no_longer_is_taken_whether_or_not_there_is_another():
    one = endpoint()
    dialled(one, "tunnel", ends_at=10.0)
    assert not one.take_ended(9.9)

    assert one.take_ended(10.0) == [("tunnel", Parting.ENDED)]


def test_a_tunnel_that_proved_itself_is_dialled_anew_at_once_when_it_is_lost():
    one = endpoint()
    dialled(one, "tunnel")
    one.lost("tunnel", STABLE, RESET, broken=False)

    assert one.why is None
    assert one.next_dial(alone=False) == -math.inf


def test_one_that_was_lost_at_once_is_dialled_soon_and_the_second_ejects_its_endpoint():
    """The worker that had it was killed, perhaps, and others answer at the same address."""
    one = endpoint()
    dialled(one, "tunnel")
    one.lost("tunnel", 0.1, RESET, broken=False)
    assert one.why is None
    assert one.next_dial(alone=False) == pytest.approx(0.1 + FIRST_WAIT * 0.75)
    dialled(one, "another", now=0.3)
    one.lost("another", 0.4, RESET, broken=False)

    assert one.why is RESET
    assert one.next_dial(alone=False) == pytest.approx(0.4 + FIRST_WAIT * 1.5)


def test_two_that_were_there_together_are_no_two_losses():
    one = endpoint(count=3)
    dialled(one, "tunnel")
    dialled(one, "another")
    one.dial(0.2)
    one.lost("tunnel", 0.3, RESET, broken=False)
    one.lost("another", 0.3, RESET, broken=False)
    one.vanished(0.3, RESET, LONGEST_WAIT)
    assert one.why is None
    one.dial(1.0)
    one.vanished(1.1, RESET, LONGEST_WAIT)

    assert one.why is RESET


def test_a_dial_whose_server_leaves_is_tried_once_more_before_its_endpoint_is_out():
    one = endpoint()
    one.dial(1.0)
    one.dialling = False
    one.vanished(1.1, RESET, LONGEST_WAIT)
    assert one.why is None
    assert one.next_dial(alone=False) == pytest.approx(1.1 + FIRST_WAIT * 0.75)
    one.dial(1.3)
    one.vanished(1.4, RESET, LONGEST_WAIT)

    assert one.why is RESET


def test_one_that_is_out_stays_out_when_its_server_leaves():
    one = endpoint()
    one.dial(1.0)
    one.failed(1.1, REFUSED, LONGEST_WAIT)
    one.dial(1.3)
    one.vanished(1.4, RESET, LONGEST_WAIT)

    assert one.why is RESET


def test_one_that_was_sent_away_and_one_that_is_lost_are_no_two_losses():
    """A reload there, and then a worker that is killed: who answers next is fine."""
    one = endpoint()
    dialled(one, "tunnel")
    one.going_away("tunnel", 0.5)
    dialled(one, "successor")
    one.lost("successor", 1.0, RESET, broken=False)

    assert one.why is None


def test_one_that_broke_the_rules_ejects_its_endpoint_whatever_its_age():
    one = endpoint()
    dialled(one, "tunnel")
    one.lost("tunnel", 1e6, RESET, broken=True)

    assert one.why is not None
    assert one.next_dial(alone=False) > 1e6


def test_one_that_goes_away_at_once_is_no_failure_but_not_dialled_madly():
    one = endpoint()
    waits = []
    for number in range(30):
        dialled(one, number, now=100.0)
        one.going_away(number, 100.0)
        waits.append(one.next_dial(alone=False) - 100.0)

    assert one.why is None
    assert waits[0] == pytest.approx(FIRST_WAIT * 0.75)
    assert waits[-1] == pytest.approx(LONGEST_WAIT * 0.75)


def test_failures_in_a_row_wait_longer_and_a_stable_tunnel_ends_the_row():
    one = endpoint()
    waits = []
    for _ in range(30):
        one.failed(0.0, REFUSED, LONGEST_WAIT_AFTER_REFUSAL)
        waits.append(one.not_before)
    assert waits == sorted(waits)
    assert waits[-1] == pytest.approx(LONGEST_WAIT_AFTER_REFUSAL * 0.75)
    dialled(one, "tunnel", now=50.0)
    one.lost("tunnel", 50.0 + STABLE, RESET, broken=False)
    one.failed(100.0, REFUSED, LONGEST_WAIT)

    assert one.not_before == pytest.approx(100.0 + FIRST_WAIT * 0.75)


def test_an_ejected_endpoint_is_dialled_until_it_answers_even_where_it_lacks_nothing():
    """Or it would be called ejected for ever."""
    one = endpoint()
    dialled(one, "tunnel")
    one.failed(1.0, REFUSED, LONGEST_WAIT)
    assert one.next_dial(alone=False) == one.not_before
    dialled(one, "second", now=2.0)

    assert one.why is None
    assert one.take_spare(alone=False) == [("second", Parting.SPARE)]


def test_a_server_without_tunnels_serves_and_is_asked_again_when_that_may_have_changed():
    one = endpoint()
    one.dial(0.0)
    one.dialling = False
    one.plain(600.0)
    assert one.serves
    assert one.next_dial(alone=True) == 600.0
    one.failed(10.0, REFUSED, LONGEST_WAIT)
    assert not one.serves
    assert one.next_dial(alone=True) == one.not_before < 600.0
    dialled(one, "tunnel", now=20.0)

    assert one.serves
    assert one.plain_until is None


def test_a_server_that_lost_its_tunnels_lets_the_old_ones_go_when_they_are_of_age():
    one = endpoint(max_age=100.0)
    dialled(one, "tunnel")
    one.look_at_ages(100.0)
    one.plain(700.0)

    assert one.take_spare(alone=True) == [("tunnel", Parting.REPLACED)]
