import json

import pytest

from pqproxy.checking.findings import Report
from pqproxy.cli.main import main
from tests.unit.checking.subjects import Place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def good(place):
    """A configuration of which nothing fails: its upstream cannot be seen from here."""
    entry = place.entry(forward="192.0.2.1:80", unsafe_remote_plaintext=True)
    return str(place.config(ingress=[entry]))


@pytest.fixture
def bad(place):
    return str(place.config(ingress=[place.entry(listen="unix:gone/x.sock")]))


def test_warnings_are_no_failure(good, capsys):
    assert main(["check", "-c", good]) == 0
    assert "it works, with warnings" in capsys.readouterr().out


def test_what_does_not_work_ends_with_3(bad, capsys):
    assert main(["check", "-c", bad]) == 3
    assert "no directory" in capsys.readouterr().out


def test_a_program_gets_json_and_nothing_else(bad, capsys):
    assert main(["check", "-c", bad, "-o", "json"]) == 3

    report = json.loads(capsys.readouterr().out)
    assert (report["config"], report["verdict"]) == (bad, "failure")


def test_what_is_waited_for_is_said_beside_the_report(bad, capsys, monkeypatch):
    """The report may be piped into a program."""

    def wait(path, consent, patience, waiting):
        waiting(("llm: nobody listens", "to-llm: refused"))
        assert patience == 60
        return Report(str(path), ())

    monkeypatch.setattr("pqproxy.checking.run.check_until_good", wait)

    assert main(["check", "-c", bad, "--wait", "60s", "-o", "json"]) == 0

    captured = capsys.readouterr()
    assert captured.err == (
        "pqproxy: waiting: llm: nobody listens\npqproxy: waiting: to-llm: refused\n"
    )
    assert json.loads(captured.out)["verdict"] == "good"


def test_a_configuration_that_means_nothing_ends_with_2(place, capsys):
    path = place.write("p.yaml", b"version: 1\ningres: []")

    assert main(["check", "-c", str(path)]) == 2
    assert "p.yaml:2:1: ingres" in capsys.readouterr().err


@pytest.mark.parametrize("wait", ["60", "never", "soon"])
def test_a_wait_that_is_none_is_a_mistake_of_usage(good, capsys, wait):
    assert main(["check", "-c", good, "--wait", wait]) == 2
    assert "--wait: " in capsys.readouterr().err


def test_consents_exclude_each_other(good, capsys):
    assert main(["check", "-c", good, "--offline", "--dial-upstreams"]) == 2
