import pytest

from pqproxy.telemetry.reported import (
    read_count,
    read_list,
    read_moment,
    read_seconds,
    read_text,
)


@pytest.mark.parametrize("value", [-1, 1.5, True, "1", None, 2**63, 10**400])
def test_a_count_is_a_number_of_events(value):
    with pytest.raises(ValueError, match="number of events"):
        read_count(value)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "1", None])
def test_seconds_are_finite_and_not_negative(value):
    with pytest.raises(ValueError, match="number of seconds"):
        read_seconds(value)


def test_a_moment_is_one_that_a_calendar_knows():
    """Or it could not be shown as a date."""
    assert read_moment(253_402_300_799) == 253_402_300_799.0
    with pytest.raises(ValueError, match="calendar"):
        read_moment(253_402_300_800)


@pytest.mark.parametrize("value", ["x" * 6, "a\nb", "\x1b[31m", "\u202e", 7, None, ["a"]])
def test_text_is_short_and_was_escaped(value):
    assert read_text("x y", 5) == "x y"
    with pytest.raises(ValueError, match="text"):
        read_text(value, 5)


@pytest.mark.parametrize("value", [[], [1, 2, 3], None, "ab", {"a": 1, "b": 2}])
def test_a_row_has_its_length(value):
    assert read_list([1, 2], 2) == [1, 2]
    with pytest.raises(ValueError, match="2 values"):
        read_list(value, 2)
