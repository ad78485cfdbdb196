import subprocess
import sys

SCRIPT = """
import resource
from pqproxy.hardening import harden
harden()
print(resource.getrlimit(resource.RLIMIT_CORE))
import ctypes
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_a_hardened_process_leaves_no_core_and_cannot_be_attached_to():
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )

    assert result.stdout.split("\n")[:2] == ["(0, 0)", "0"]
