import shutil
import subprocess

import pytest

from pqproxy.cli.main import COMMANDS
from reference.manual import manual


def test_every_command_has_its_part():
    text = manual().replace(r"\-", "-")

    assert all(f".SS pqproxy {name}" in text for name in COMMANDS)


def test_no_line_of_text_is_taken_for_a_request():
    requests = {".TH", ".SH", ".SS", ".TP", ".B", ".br", ".ad"}

    for line in manual().splitlines():
        assert not line.startswith("'")
        assert not line.startswith(".") or line.split()[0] in requests


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
def test_a_formatter_has_nothing_to_complain_about():
    done = subprocess.run(
        ["groff", "-man", "-Tascii", "-ww", "-z"],
        input=manual(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stderr == ""
