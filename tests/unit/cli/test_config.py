import json

import pytest

from pqproxy.cli.main import main
from tests.support import pki

TEXT = """\
version: 1
trust: {mesh: {roots: [ca.crt]}}
egress: [{name: x, listen: "127.0.0.1:1", connect: ["h:1"], trust: mesh}]
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    pki.root().write(tmp_path)
    (tmp_path / "p.yaml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "p.yaml"


def test_a_good_file_is_said_to_be_good(config, capsys):
    assert main(["config", "validate", "-c", "p.yaml"]) == 0
    assert capsys.readouterr().out == "p.yaml: good (0 ingress, 1 egress)\n"


def test_problems_are_named_as_the_user_named_the_file(config, capsys):
    config.write_text(TEXT.replace("h:1", "h"))

    assert main(["config", "validate", "--config", "./p.yaml"]) == 2
    assert capsys.readouterr().err == (
        "p.yaml:3:53: egress.0.connect.0: h names no port, did you mean h:8443\n"
    )


def test_explain_prints_defaults_too(config, capsys):
    assert main(["config", "explain", "-c", "p.yaml"]) == 0
    assert "    padding: 256  # default\n" in capsys.readouterr().out


def test_explain_refuses_what_run_would_refuse(config, capsys):
    (config.parent / "ca.crt").write_bytes(b"nothing")

    assert main(["config", "explain", "-c", "p.yaml"]) == 2
    assert "trust.mesh" in capsys.readouterr().err


def test_the_schema_is_json(capsys):
    assert main(["config", "schema"]) == 0
    assert "ingress" in json.loads(capsys.readouterr().out)["properties"]


def test_a_verb_is_needed(capsys):
    assert main(["config"]) == 2
    assert "required: VERB" in capsys.readouterr().err
