import json
import subprocess
import sys

from pqproxy import collector

SCRIPT = """
import gc, json
from pqproxy import collector

usual, heard = gc.get_threshold(), []
gc.callbacks.append(lambda phase, about: heard.append(phase))
collector.spare_the_start()
kept = [[] for _ in range(50_000)]
during = len(heard)
collector.settle()
heard.clear()
more = [[] for _ in range(50_000)]
frozen = gc.get_freeze_count() > 50_000
print(json.dumps([during, len(heard) > 50, frozen, gc.get_threshold() == usual]))
"""


def test_a_start_is_not_held_up_and_afterwards_all_is_as_usual():
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )

    assert json.loads(result.stdout) == [0, True, True, True]


def test_what_never_settles_does_not_grow_without_an_end():
    script = (
        "import gc; from pqproxy import collector; collector.spare_the_start();"
        "heard = []; gc.callbacks.append(lambda *_: heard.append(1));"
        f"kept = [[] for _ in range(2 * {collector._AT_A_START})]; print(len(heard))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)

    assert int(result.stdout) > 0
