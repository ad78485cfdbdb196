"""Windows begin small, grow for who is in a hurry, and never beyond the budget of all."""

from hypothesis import given
from hypothesis import strategies as st

from pqproxy.tunnel.windows import MAX_STREAM_WINDOW, Budget, ReceiveWindow


def window(size=1000, budget=1_000_000):
    given_budget = Budget(budget)
    assert given_budget.take(size)
    return ReceiveWindow(given_budget, size, now=0.0), given_budget


def test_a_grant_is_due_for_half_a_window_and_grows_with_it():
    receive, _ = window()
    assert receive.due == 500
    receive.consumed = 500
    receive.grant(round_trip=1.0, now=0.1)

    assert receive.due == receive.size // 2 == 1000


def test_who_is_slow_is_granted_what_was_consumed():
    receive, _ = window()
    receive.left, receive.consumed = 500, 500

    assert receive.grant(round_trip=0.01, now=1.0) == 500
    assert (receive.left, receive.size, receive.consumed) == (1000, 1000, 0)


def test_a_window_used_up_within_two_round_trips_doubles():
    receive, budget = window()
    receive.left, receive.consumed = 500, 500

    assert receive.grant(round_trip=0.01, now=0.01) == 1500
    assert (receive.left, receive.size) == (2000, 2000)
    assert budget.left == 1_000_000 - 2000


def test_a_window_of_which_nothing_is_left_doubles_however_long_it_took():
    """Between two busy processes a round trip takes longer than it did when it was measured."""
    receive, _ = window()
    receive.left, receive.consumed = 0, 1000

    assert receive.grant(round_trip=0.01, now=60.0) == 2000


def test_beyond_eight_megabytes_only_the_round_trip_is_reason_to_grow():
    receive, _ = window(size=8 << 20, budget=1 << 30)
    receive.left, receive.consumed = 0, 8 << 20

    assert receive.grant(round_trip=0.01, now=60.0) == 8 << 20
    receive.left, receive.consumed = 0, 8 << 20
    assert receive.grant(round_trip=10.0, now=61.0) == 16 << 20


def test_a_window_does_not_grow_for_who_takes_his_time():
    receive, _ = window()
    receive.left, receive.consumed, receive.waited = 0, 1000, True

    assert receive.grant(round_trip=1.0, now=0.1) == 1000
    assert not receive.waited


def test_without_a_measured_round_trip_nothing_grows_for_speed_alone():
    receive, _ = window()
    receive.left, receive.consumed = 500, 500

    assert receive.grant(round_trip=None, now=0.0) == 500


def test_what_the_budget_lacks_is_not_granted():
    receive, _ = window(budget=1999)
    receive.left, receive.consumed = 500, 500

    assert receive.grant(round_trip=1.0, now=0.1) == 500
    assert receive.size == 1000


def test_who_grows_keeps_nobody_out():
    """Some bulk transfers, or a peer that wants it so, must not use up what new streams need."""
    budget = Budget(256_000)
    hurried = [ReceiveWindow(budget, 1000, now=0.0) for _ in range(10) if budget.take(1000)]
    for _ in range(20):
        for receive in hurried:
            receive.consumed = receive.size // 2
            receive.grant(round_trip=1.0, now=0.0)
    assert sum(receive.size for receive in hurried) > 50_000
    others = 0
    while budget.take(1000):
        others += 1
    assert others >= 150
    assert budget.left < 1000
    for receive in hurried:
        receive.release()
    again = ReceiveWindow(budget, 1000, now=0.0)
    again.consumed = 500

    assert again.grant(round_trip=1.0, now=0.0) == 1500


def test_growth_ends_at_the_largest_window():
    receive, _ = window(size=MAX_STREAM_WINDOW - 10, budget=1 << 30)
    receive.consumed = MAX_STREAM_WINDOW // 2
    receive.grant(round_trip=1.0, now=0.0)

    assert receive.size == MAX_STREAM_WINDOW


def test_by_use_alone_windows_grow_only_while_few_have():
    budget = Budget(1 << 20)
    sizes = []
    for _ in range(20):
        assert budget.take(10_000)
        receive = ReceiveWindow(budget, 10_000, now=0.0)
        for _ in range(6):
            receive.left, receive.consumed = 0, receive.size
            receive.grant(round_trip=0.001, now=60.0)
        sizes.append(receive.size)

    assert sizes[0] > 60_000
    assert sizes[-1] == 10_000
    assert sum(sizes) - 200_000 < (1 << 20) * 3 / 8


def test_a_large_window_shrinks_for_who_takes_his_time():
    receive, budget = window(size=1 << 20, budget=1 << 30)
    receive.left, receive.consumed = 0, 1 << 20
    receive.grant(round_trip=10.0, now=0.1)
    assert receive.size == 2 << 20
    receive.left, receive.consumed, receive.waited = 0, 2 << 20, True

    assert receive.grant(round_trip=10.0, now=0.2) == 1 << 20
    assert receive.size == 1 << 20
    assert budget.left == (1 << 30) - (1 << 20)
    receive.release()
    assert budget.left == 1 << 30


@given(st.lists(st.tuples(st.integers(0, 4000), st.floats(0, 2), st.booleans()), max_size=40))
def test_what_is_granted_is_always_within_the_budget_and_comes_back(steps):
    receive, budget = window(budget=50_000)
    now = 0.0
    for length, seconds, measured in steps:
        used = min(length, receive.left)
        receive.left -= used
        receive.consumed += used
        now += seconds
        receive.waited = length % 3 == 0
        receive.grant(0.5 if measured else None, now)
        assert 0 <= receive.left <= receive.size <= 50_000
        assert budget.left + receive.size == 50_000
    receive.release()
    receive.release()
    assert budget.left == 50_000
