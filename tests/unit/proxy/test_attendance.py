from types import SimpleNamespace

import pytest

from pqproxy.proxy.attendance import Attendance, check_presence
from pqproxy.proxy.visit import Ended
from pqproxy.telemetry.reasons import EndReason


def test_when_the_client_goes_the_work_for_it_is_cancelled_and_says_why():
    cancelled = []
    task = SimpleNamespace(cancel=lambda: cancelled.append(True))
    visit = SimpleNamespace(left=None, task=task)

    Attendance(visit).on_abort(EndReason.CLIENT_LEFT)

    assert cancelled == [True]
    assert visit.left is EndReason.CLIENT_LEFT


def test_nobody_is_served_who_is_not_there_any_more():
    check_presence(SimpleNamespace(closed=False))
    with pytest.raises(Ended) as caught:
        check_presence(SimpleNamespace(closed=True))

    assert caught.value.end is EndReason.CLIENT_LEFT
