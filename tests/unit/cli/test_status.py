import json
import subprocess
import sys

import pytest

from pqproxy.cli.main import main
from tests.support.control_stub import control_listener

STATUS = {"version": "9", "pid": 1, "uptime_seconds": 5, "ready": True, "draining": False}


@pytest.fixture
def running(tmp_path):
    """Something that answers as pqproxy does; the options that lead to it, and what it says."""
    answers = {"/status": dict(STATUS)}
    with control_listener(answers, tmp_path / "c.sock") as (address, _):
        yield ["--control", str(address)], answers["/status"]


def test_a_person_gets_a_summary(running, capsys):
    assert main(["status", *running[0]]) == 0
    assert capsys.readouterr().out.startswith("pqproxy 9  ready, process 1, up 5 s\n")


def test_a_program_gets_what_the_listener_said(running, capsys):
    assert main(["status", "-o", "json", *running[0]]) == 0
    assert json.loads(capsys.readouterr().out) == STATUS


@pytest.mark.parametrize(("draining", "code"), [(False, 0), (True, 1)])
def test_a_health_check_says_nothing_but_its_exit_code(running, capsys, draining, code):
    running[1]["draining"] = draining

    assert main(["status", "-q", *running[0]]) == code
    assert capsys.readouterr() == ("", "")


def test_nobody_there_is_an_error_with_a_hint(tmp_path, capsys):
    assert main(["status", "--control", f"unix:{tmp_path}/none"]) == 1

    said = capsys.readouterr().err
    assert said.startswith(f"pqproxy: error: nothing answers at unix:{tmp_path}/none\nhint: ")


def test_nobody_there_is_not_healthy_and_no_noise(tmp_path, capsys):
    assert main(["status", "-q", "--control", f"unix:{tmp_path}/none"]) == 1
    assert capsys.readouterr() == ("", "")


def test_a_mistake_on_the_command_line_is_said_even_to_a_health_check(capsys):
    assert main(["status", "-q", "--control", "nonsense"]) == 2
    assert "--control: " in capsys.readouterr().err


def test_a_health_check_imports_nothing_that_is_slow_to_import(running):
    """Containers run it every few seconds, on the cores that carry the traffic."""
    program = (
        "import sys; from pqproxy.cli.main import main; code = main(sys.argv[1:]);"
        "slow = {'pydantic', 'yaml', 'aiohttp', 'asyncio', 'cryptography', 'prometheus_client'}"
        " & set(sys.modules); sys.exit(str(slow) if slow else code)"
    )
    command = [sys.executable, "-c", program, "status", "-q", *running[0]]

    done = subprocess.run(command, capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
