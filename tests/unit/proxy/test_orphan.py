import signal
import subprocess
import sys

import pytest

from tests.support.processes import exists
from tests.support.waiting import wait_until

# A parent that is killed, and a child that hangs: in Python, or somewhere below it.
CHILD = """
import sys, time
from pqproxy.proxy.orphan import end_with_parent
end_with_parent()
print("hangs", flush=True)
{hang}
"""
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print(child.pid, flush=True)
child.wait()
"""


@pytest.mark.parametrize(
    "hang",
    ["while True: pass", "import ctypes; ctypes.PyDLL(None).sleep(1000)"],
    ids=["a loop", "a call that holds the interpreter"],
)
def test_a_process_that_hangs_does_not_outlive_its_parent(hang):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, CHILD.format(hang=hang)], stdout=subprocess.PIPE, text=True
    )
    with parent:
        child = int(parent.stdout.readline())
        assert exists(child)

        parent.send_signal(signal.SIGKILL)
        parent.wait()

    wait_until(lambda: not exists(child), "the child is gone")
