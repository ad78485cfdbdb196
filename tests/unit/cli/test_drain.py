import json
import threading

import pytest

from pqproxy.cli.main import main
from tests.support.control_stub import control_listener

FINISHING = {"phase": "finishing", "connections": 2, "oldest_seconds": 61.0, "seconds_left": 20.0}
LINE = "draining: 2 connections open, the oldest for 1 min 1 s; what is left in 20 s is reset\n"


def drained(reset):
    return {"phase": "over", "connections": 0, "finished": 2, "reset": reset}


def test_without_waiting_it_begins_one_and_says_so(tmp_path, capsys):
    with control_listener({"/drain": FINISHING}, tmp_path / "c.sock") as (address, requests):
        assert main(["drain", "--control", str(address)]) == 0

    assert [request[:2] for request in requests] == [("POST", "/drain")]
    assert capsys.readouterr().out == LINE


@pytest.mark.parametrize(
    ("reset", "code", "last"),
    [
        (0, 0, "drained: 2 connections finished, nothing was reset\n"),
        (1, 4, "drain was forced: 1 connection reset, 2 finished\n"),
    ],
)
def test_waiting_it_shows_how_far_it_is_and_ends_with_how_it_went(
    tmp_path, capsys, reset, code, last
):
    looked = threading.Event()

    def status():
        looked.set()
        return {"drain": FINISHING}

    def end():
        looked.wait(20)
        return drained(reset)

    answers = {"/drain": end, "/status": status}
    with control_listener(answers, tmp_path / "c.sock") as (address, requests):
        assert main(["drain", "--wait", "--control", str(address)]) == code

    asked = [json.loads(request[3]) for request in requests if request[1] == "/drain"]
    assert asked == [{"wait": True}]
    assert capsys.readouterr().out == LINE + last


def test_an_end_that_comes_while_it_looks_is_no_failure(tmp_path, capsys):
    """The listener is gone once the drain is over; only the answer that was owed counts."""
    looked = threading.Event()

    def status():
        looked.set()
        return (500, b"going")

    def end():
        looked.wait(20)
        return drained(0)

    answers = {"/drain": end, "/status": status}
    with control_listener(answers, tmp_path / "c.sock") as (address, _):
        assert main(["drain", "--wait", "--control", str(address)]) == 0

    assert capsys.readouterr().out.startswith("drained: ")


@pytest.mark.parametrize("wait", [[], ["--wait"]])
def test_nobody_there_is_an_error_with_a_hint(tmp_path, capsys, wait):
    assert main(["drain", *wait, "--control", f"unix:{tmp_path}/none"]) == 1

    said = capsys.readouterr().err
    assert said.startswith(f"pqproxy: error: nothing answers at unix:{tmp_path}/none\nhint: ")
