import os
import threading

from bench.procfs import thread_seconds
from bench.scenarios.workers import shares


def test_shares_are_those_of_the_two_busiest_threads():
    """A supervisor and helper threads that do nothing of the work are no workers."""
    before = {1: 5.0, 2: 1.0, 3: 0.0}
    after = {1: 5.1, 2: 4.0, 3: 1.0, 4: 0.0}

    assert shares(before, after) == [25, 75]


def test_a_worker_that_came_later_has_used_what_it_has():
    assert shares({1: 1.0}, {1: 2.0, 2: 1.0}) == [50, 50]


def test_nothing_done_is_no_division_by_zero():
    assert shares({1: 1.0, 2: 1.0}, {1: 1.0, 2: 1.0}) == [0, 0]


def test_every_thread_of_a_tree_is_listed():
    with_one_more = threading.Barrier(2)
    thread = threading.Thread(target=lambda: [with_one_more.wait(), with_one_more.wait()])
    thread.start()
    with_one_more.wait()
    found = thread_seconds(os.getpid())
    with_one_more.wait()
    thread.join()

    ours = {int(name) for name in os.listdir("/proc/self/task")} | {thread.native_id}
    assert {os.getpid(), thread.native_id} <= set(found)
    used = sum(seconds for number, seconds in found.items() if number in ours)
    # Less than the process: threads that have ended are in its sum alone.
    assert 0 < used <= sum(os.times()[:2]) + 0.5
