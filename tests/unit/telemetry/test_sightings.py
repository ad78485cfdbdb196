from hypothesis import given
from hypothesis import strategies as st

from pqproxy.telemetry.sightings import Seen, Sightings


def test_a_row_knows_since_when_how_often_and_what_the_newest_was_like():
    table = Sightings()
    for moment in (5.0, 7.0, 6.0):  # a clock may be set back
        table.note(("a",), f"at {moment}", moment)

    assert table.rows == {("a",): Seen(5.0, 7.0, 3, "at 7.0")}


def test_when_it_is_full_who_was_not_seen_for_longest_goes_and_is_counted():
    table = Sightings(most=2)
    for name in ("a", "b", "a", "c"):
        table.note((name,), None, 1.0)

    assert list(table.rows) == [("a",), ("c",)]
    assert table.forgotten == 1


def test_what_is_taken_is_gone_the_oldest_first():
    table = Sightings()
    for name in ("a", "b", "c", "a"):
        table.note((name,), None, 1.0)

    assert [key for key, _ in table.take(2)] == [("b",), ("c",)]
    assert [key for key, _ in table.take(2)] == [("a",)]
    assert table.take(2) == []


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 100), st.booleans())))
def test_increments_add_up_to_what_one_table_would_hold(sightings):
    """However a worker's reports cut it, and however many workers there are."""
    whole, here, there = Sightings(), Sightings(), Sightings()
    for name, moment, report in sightings:
        whole.note((name,), moment, float(moment))
        here.note((name,), moment, float(moment))
        if report:
            for key, seen in here.take(2):
                there.add(key, seen)
    for key, seen in here.take(100):
        there.add(key, seen)

    assert there.rows == whole.rows
