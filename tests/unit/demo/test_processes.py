import asyncio
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from pqproxy.demo.processes import ChildFailed, Children
from tests.support.processes import exists

SLEEP = ["-c", "import time; print('up', flush=True); time.sleep(60)"]


def test_leaving_the_context_ends_every_child(tmp_path):
    with Children(tmp_path) as children:
        pids = [children.start(name, SLEEP).process.pid for name in ("one", "two")]

    assert not any(map(exists, pids))


def test_an_error_in_the_context_ends_every_child(tmp_path):
    started = []

    def fail():
        with Children(tmp_path) as children:
            started.append(children.start("one", SLEEP).process.pid)
            raise LookupError

    with pytest.raises(LookupError):
        fail()

    assert not exists(*started)


def test_a_child_that_will_not_end_is_killed(tmp_path):
    deaf = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True)"
    )
    with Children(tmp_path) as children:
        child = children.start("deaf", ["-c", deaf + "; time.sleep(60)"])
        asyncio.run(child.first_line(patience=10))

        child.stop(patience=0.1)

    assert child.process.returncode == -signal.SIGKILL


def test_the_first_line_is_waited_for(tmp_path):
    with Children(tmp_path) as children:
        child = children.start("slow", ["-c", "import time; time.sleep(0.3); print('http://x')"])

        assert asyncio.run(child.first_line(patience=10)) == "http://x"


def test_a_child_that_ends_early_says_why(tmp_path):
    with Children(tmp_path) as children:
        child = children.start("broken", ["-c", "raise SystemExit('no model here')"])

        with pytest.raises(ChildFailed, match=r"broken ended with exit code 1\nno model here"):
            asyncio.run(child.first_line(patience=10))


def test_a_child_that_never_gets_ready_is_not_waited_for(tmp_path):
    with Children(tmp_path) as children:
        child = children.start("mute", ["-c", "import time; time.sleep(60)"])

        with pytest.raises(ChildFailed, match="mute is not ready in time"):
            asyncio.run(child.first_line(patience=0.05))


def test_children_do_not_outlive_a_parent_that_is_killed(tmp_path):
    parent_code = textwrap.dedent(f"""
        import time
        from pathlib import Path
        from pqproxy.demo.processes import Children
        child = Children(Path({str(tmp_path)!r})).start("orphan", {SLEEP!r})
        print(child.process.pid, flush=True)
        time.sleep(60)
    """)
    with subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE) as parent:
        pid = int(parent.stdout.readline())

        parent.kill()

    deadline = time.monotonic() + 10
    while exists(pid):
        assert time.monotonic() < deadline, "the child outlived its parent"
        time.sleep(0.02)
