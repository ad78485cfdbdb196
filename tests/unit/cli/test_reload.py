import json

import pytest

from pqproxy.cli.main import main
from tests.support.control_stub import control_listener


@pytest.fixture
def running(tmp_path):
    """Something that answers as pqproxy does: the options that lead there, answers, requests."""
    answers = {}
    with control_listener(answers, tmp_path / "c.sock") as (address, requests):
        yield ["--control", str(address)], answers, requests


def failed(status, *problems):
    body = {"result": "failure", "error": "nothing is changed", "problems": problems}
    return status, json.dumps(body).encode()


def test_it_orders_a_reload_and_says_what_changed(running, capsys):
    options, answers, requests = running
    answers["/reload"] = {"result": "success", "summary": "added llm"}

    assert main(["reload", *options]) == 0
    assert capsys.readouterr().out == "added llm\n"
    assert requests[0][:2] == ("POST", "/reload")


def test_a_program_gets_the_whole_answer(running, capsys):
    options, answers, _ = running
    answers["/reload"] = {"result": "success", "summary": "added llm"}

    assert main(["reload", "-o", "json", *options]) == 0
    assert json.loads(capsys.readouterr().out) == answers["/reload"]


def test_every_mistake_of_the_file_is_printed_as_it_is_at_a_start(running, capsys):
    options, answers, _ = running
    answers["/reload"] = failed(422, "p.yaml:1:2: first", "p.yaml:3:4: second")

    assert main(["reload", *options]) == 2
    assert capsys.readouterr() == ("", "p.yaml:1:2: first\np.yaml:3:4: second\n")


def test_what_is_not_the_files_fault_is_a_failure_at_run_time(running, capsys):
    options, answers, _ = running
    answers["/reload"] = failed(409, "ingress llm: :443 is in use")

    assert main(["reload", *options]) == 1
    assert capsys.readouterr().err == "pqproxy: error: ingress llm: :443 is in use\n"


def test_a_program_is_told_of_failures_too(running, capsys):
    options, answers, _ = running
    answers["/reload"] = failed(422, "p.yaml:1:2: first")

    assert main(["reload", "-o", "json", *options]) == 2
    assert json.loads(capsys.readouterr().out)["problems"] == ["p.yaml:1:2: first"]


def test_an_older_pqproxy_is_told_from_a_failed_reload(running, capsys):
    assert main(["reload", *running[0]]) == 1
    assert "does not know this request" in capsys.readouterr().err


def test_nobody_there_is_an_error_with_a_hint(tmp_path, capsys):
    assert main(["reload", "--control", f"unix:{tmp_path}/none"]) == 1
    assert "nothing answers at" in capsys.readouterr().err
