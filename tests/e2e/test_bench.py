"""`python -m bench`: that it still runs, and what it leaves for whoever reads it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("OpenSSL", reason="handshakes are measured against pyOpenSSL")

ROOT = Path(__file__).parents[2]


def test_one_scenario_is_measured_for_a_pair_and_for_the_floor(tmp_path):
    """Figures are not looked at: a test's machine is anybody's. That there are some is."""
    options = ["requests-1-16k", "--quick", "--rounds", "1", "--peers", ""]
    run = subprocess.run(
        [sys.executable, "-m", "bench", *options],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert run.returncode == 0, run.stderr

    (row,) = json.loads((tmp_path / "build/bench/results.json").read_text())["measured"]
    page = (tmp_path / "build/bench/results.md").read_text()

    assert row["samples"].keys() == {"pqproxy", "floor"}
    for (sample,) in row["samples"].values():
        assert sample["figures"]["rate"] > 0
        assert len(sample["distributions"]["latency"]) > 1
    assert "python -m bench requests-1-16k --quick --rounds 1 --peers ''" in page
    assert "skipped: envoy" in page
