import json

import pytest

from pqproxy.cli.main import main
from tests.support.control_stub import control_listener

OBSERVED = {"listeners": [{"name": "llm", "policy": "observe", "forgotten": 0, "rows": []}]}


@pytest.fixture
def running(tmp_path):
    """The options that lead to something that answers as pqproxy does."""
    with control_listener({"/observed": OBSERVED}, tmp_path / "c.sock") as (address, _):
        yield ["--control", str(address)]


def test_a_person_gets_a_table(running, capsys):
    assert main(["observed", *running]) == 0
    assert capsys.readouterr().out.startswith("llm  policy observe: nobody was seen")


def test_a_program_gets_what_the_listener_said(running, capsys):
    assert main(["observed", "-o", "json", *running]) == 0
    assert json.loads(capsys.readouterr().out) == OBSERVED


def test_a_pqproxy_that_knows_no_such_request_is_an_older_one(tmp_path, capsys):
    with control_listener({}, tmp_path / "c.sock") as (address, _):
        assert main(["observed", "--control", str(address)]) == 1

    assert "another version" in capsys.readouterr().err
