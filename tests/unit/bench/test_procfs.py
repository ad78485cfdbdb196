import subprocess
import sys
import threading
from pathlib import Path

import pytest

from bench.procfs import (
    TICKS_PER_SECOND,
    Stat,
    cpu_seconds,
    descendants,
    parse_pss,
    parse_stat,
    process_clock,
    process_tree,
)


def test_a_name_with_spaces_and_parentheses_does_not_shift_the_fields():
    line = f"77 (a) b (c) S 5 {'0 ' * 9}300 200 0 0 20 0 1 0 12345"

    stat = parse_stat(line)

    assert stat == Stat(pid=77, parent=5, cpu_seconds=500 / TICKS_PER_SECOND)


def test_pss_is_read_in_bytes():
    text = "55d0-7ffc ---p 00000000 00:00 0    [rollup]\nRss:  9000 kB\nPss:  1234 kB\n"

    assert parse_pss(text) == 1234 * 1024


def test_a_rollup_without_pss_is_an_error():
    with pytest.raises(ValueError, match="no Pss line"):
        parse_pss("Rss: 1 kB\n")


def test_descendants_are_found_however_the_processes_are_listed():
    child, root, stranger, grandchild = (
        Stat(pid, parent, 1.0) for pid, parent in [(3, 2), (2, 1), (9, 1), (4, 3)]
    )

    found = descendants(2, [grandchild, child, stranger, root])

    assert found == [root, child, grandchild]


def test_a_process_that_has_gone_has_no_tree():
    assert descendants(2, [Stat(1, 0, 1.0)]) == []


def test_the_cpu_of_a_child_is_counted_with_its_parent():
    """A worker's time must not be lost because only the supervisor's id is known."""
    spin = "import time\nwhile time.process_time() < 0.2: pass\n"
    parent = (
        "import subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {spin + 'input()'!r}],"
        " stdin=subprocess.PIPE)\n"
        "input()\n"
        "child.communicate(b'x')\n"
    )
    with subprocess.Popen([sys.executable, "-c", parent], stdin=subprocess.PIPE) as process:
        while cpu_seconds([process.pid]) < 0.2:
            assert process.poll() is None
        tree = process_tree(process.pid)
        process.communicate(b"\n")

    assert len(tree) == 2


def test_a_process_clock_counts_what_ended_threads_have_used():
    """Per thread, what a thread has used would be lost with it."""
    before = process_clock(parse_stat(Path("/proc/self/stat").read_text()))
    thread = threading.Thread(target=lambda: sum(number * number for number in range(500_000)))
    thread.start()
    thread.join()
    stat = parse_stat(Path("/proc/self/stat").read_text())

    assert 0.001 < process_clock(stat) - before < 10
    assert process_clock(stat) == pytest.approx(stat.cpu_seconds, abs=0.05)


def test_of_a_process_that_has_ended_the_last_count_holds():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass

    assert process_clock(Stat(process.pid, 1, 1.25)) == 1.25
