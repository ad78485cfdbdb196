import pytest

from pqproxy.telemetry.callers import Caller, read_optional, read_seen, shown_seen, write_seen
from pqproxy.telemetry.log import LONGEST_VALUE, printable
from pqproxy.telemetry.sightings import Seen


def test_a_peer_is_known_by_its_identity_and_only_else_by_its_address():
    """One workload is one row, wherever it runs; strangers are told apart by address."""
    assert Caller.of("spiffe://corp/a", "10.0.0.1") == ("spiffe://corp/a", None)
    assert Caller.of(None, "10.0.0.1") == (None, "10.0.0.1")


@pytest.mark.parametrize("name", ["x" * 10_000, "a\nb", "\x1b[31m\u202e", "\\" * 5000])
def test_a_name_that_a_peer_chose_is_bounded_and_escaped_and_reads_back(name):
    caller = Caller.of(name, "10.0.0.1")

    assert len(caller.identity) <= LONGEST_VALUE + 3
    assert caller.identity.isascii()
    assert caller.identity.isprintable()
    assert Caller.read(*caller) == caller


@pytest.mark.parametrize("who", [(None, None), ("a", "b"), (7, None), (None, "x" * 1000)])
def test_a_worker_names_nobody_otherwise(who):
    with pytest.raises(ValueError, match=r"caller|text"):
        Caller.read(*who)


def test_times_travel_as_numbers_and_are_shown_as_dates():
    seen = Seen(1_700_000_000.25, 1_700_000_001.0, 2, None)

    assert read_seen(*write_seen(seen)) == (seen.first, seen.last, seen.count)
    assert shown_seen(seen) == {
        "first_seen": "2023-11-14T22:13:20.250Z",
        "last_seen": "2023-11-14T22:13:21.000Z",
        "count": 2,
    }


def test_a_value_may_be_missing():
    assert read_optional(None) is None
    assert read_optional(printable("x" * 1000)) == "x" * LONGEST_VALUE + "..."
