import time
from datetime import UTC, datetime, timedelta, timezone

import pytest

from pqproxy.signing import examine, sign
from pqproxy.signing.clock import moment
from tests.support import pki
from tests.unit.signing.test_examination import GOOD, NAME, leaf, trust


def test_now_is_when_nothing_is_given():
    before = time.time()
    assert before <= moment(None).timestamp() <= time.time()
    assert moment(None).tzinfo is UTC


def test_a_time_of_another_zone_is_the_same_moment():
    elsewhere = timezone(timedelta(hours=-8))
    assert moment(pki.NOW.astimezone(elsewhere)) == pki.NOW
    assert moment(pki.NOW.astimezone(elsewhere)).tzinfo is UTC


@pytest.mark.parametrize(
    "given",
    [
        datetime(2026, 11, 21),
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-12))),
    ],
)
def test_a_time_that_may_mean_another_is_the_caller_s_mistake(given):
    """Said at once, and not where a certificate is compared with it."""
    with pytest.raises(ValueError, match="a time "):
        examine(b"", GOOD, trust(), [NAME], at=given)
    with pytest.raises(ValueError, match="a time "):
        sign(b"", leaf().key, leaf().chain_der, at=given)


@pytest.mark.parametrize("given", [datetime.min, datetime.max])
def test_the_ends_of_the_calendar_are_times(given):
    at = given.replace(tzinfo=UTC)
    assert not examine(b"", GOOD, trust(), [NAME], at=at)
    assert sign(b"", leaf().key, leaf().chain_der, at=at)
