import pytest

from pqproxy.supervisor.crash_log import crash_line, how_it_ended


class Dead:
    pid, active, status, error = 4711, 3, -9, None

    def __init__(self, status=-9, error=None):
        self.status, self.error = status, error


@pytest.mark.parametrize(
    ("worker", "said"),
    [
        (Dead(-11), "was killed by signal 11, SIGSEGV"),
        (Dead(-40), "was killed by signal 40"),
        (Dead(2, "identity own: expired"), "exited with status 2 (identity own: expired)"),
        (Dead(None, "Out of processes"), "could not be started (Out of processes)"),
    ],
)
def test_the_end_is_said_in_words_with_what_the_worker_said(worker, said):
    assert how_it_ended(worker) == said


def test_the_first_death_is_one_line_with_everything_that_is_known():
    assert crash_line(Dead(1), 61.24, 0.1, 1) == (
        "worker 4711 exited with status 1 after 61.2 s and cut 3 connections;"
        " a new one starts in 0.1 s"
    )


def test_a_kill_that_we_did_not_send_has_two_likely_senders():
    assert "memory ran out" in crash_line(Dead(), 1.0, 0.1, 1)
    assert "memory ran out" not in crash_line(Dead(error="it was not ready"), 1.0, 0.1, 1)


def test_a_crash_loop_is_called_one():
    assert "a row" not in crash_line(Dead(), 1.0, 0.1, 1)
    assert "it is number 2 of those that soon died here" in crash_line(Dead(), 1.0, 0.2, 2)
    assert "that mends itself seldom" in crash_line(Dead(), 1.0, 0.4, 3)
