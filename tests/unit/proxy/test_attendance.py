from types import SimpleNamespace

from pqproxy.proxy.attendance import Attendance
from pqproxy.telemetry.reasons import EndReason


def test_when_the_client_goes_the_work_for_it_is_cancelled_and_says_why():
    cancelled = []
    visit = SimpleNamespace(left=None)
    task = SimpleNamespace(cancel=lambda: cancelled.append(True))

    Attendance(visit, task).on_abort(EndReason.CLIENT_LEFT)

    assert cancelled == [True]
    assert visit.left is EndReason.CLIENT_LEFT
