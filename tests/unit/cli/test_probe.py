import argparse
import json

import pytest

from pqproxy.cli import main as cli
from pqproxy.cli import probe
from pqproxy.cli.errors import CommandError
from pqproxy.config.addresses import parse_target
from pqproxy.probing import examination
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.wire import Unreachable
from tests.support import pki
from tests.unit.probing.samples import PQ, X25519, everything, findings, handshake


@pytest.fixture
def found(monkeypatch):
    """What an examination brings, and whom it was about."""

    class Found:
        outcome = everything((PQ,))
        asked = None

    async def examine(endpoint):
        Found.asked = endpoint
        if isinstance(Found.outcome, Exception):
            raise Found.outcome
        return Found.outcome

    monkeypatch.setattr(examination, "examine", examine)
    return Found


@pytest.mark.parametrize(
    ("outcome", "plain", "pq", "pq_only"),
    [
        (everything((PQ,)), 0, 0, 0),
        (everything((PQ, X25519)), 0, 0, 3),
        (everything((X25519, PQ)), 0, 3, 3),
        (everything((X25519,)), 0, 3, 3),
        (findings(handshake(Outcome.NOT_TLS)), 0, 3, 3),
        (findings(handshake(Outcome.SILENT)), 1, 3, 3),
    ],
    ids=["only", "downgradeable", "available", "classical", "not-tls", "silent"],
)
def test_the_exit_code_answers_what_was_demanded(found, outcome, plain, pq, pq_only, capsys):
    found.outcome = outcome

    assert cli.main(["probe", "llm.test:443"]) == plain
    assert cli.main(["probe", "llm.test:443", "--require-pq"]) == pq
    assert cli.main(["probe", "llm.test:443", "--require-pq-only"]) == pq_only
    assert cli.main(["probe", "llm.test:443", "--require-pq", "--require-pq-only"]) == pq_only


def test_people_get_the_verdict_below_the_endpoint(found, capsys):
    cli.main(["probe", "llm.test:443"])
    out = capsys.readouterr().out.splitlines()

    assert out[0] == "llm.test:443 at 127.0.0.1:443, asked for llm.test"
    assert out[1].startswith("√ post-quantum")
    assert not any("\033" in line for line in out)


def test_programs_get_json(found, capsys):
    cli.main(["probe", "llm.test:443", "-o", "json"])

    assert json.loads(capsys.readouterr().out)["post_quantum"] == "negotiated"


def test_who_cannot_be_reached_is_an_error_with_a_hint(found, capsys):
    found.outcome = Unreachable("llm.test:443: connection refused", "check the port")

    assert cli.main(["probe", "llm.test:443", "--require-pq"]) == 1
    error = capsys.readouterr().err
    assert error == "pqproxy: error: llm.test:443: connection refused\nhint: check the port\n"


@pytest.mark.parametrize(
    ("address", "given", "name"),
    [
        ("llm.test:443", None, "llm.test"),
        ("LLM.test.:443", None, "llm.test"),
        ("10.0.0.7:443", None, None),
        ("[::1]:443", None, None),
        ("unix:/run/s", None, None),
        ("10.0.0.7:443", "llm.test", "llm.test"),
        ("unix:/run/s", "llm.test", "llm.test"),
    ],
)
def test_the_name_to_ask_for_is_the_host_and_never_an_address(address, given, name):
    assert probe.server_name(parse_target(address), given) == name


@pytest.mark.parametrize("given", ["10.0.0.7", "", "a b"])
def test_a_name_that_is_none_is_an_error(given):
    with pytest.raises(CommandError, match="--sni"):
        probe.server_name(parse_target("llm.test:443"), given)


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        ["llm.test:443", "--timeout", "0"],
        ["llm.test:443", "--timeout", "nan"],
        ["llm.test:443", "--timeout", "soon"],
        ["llm.test:443", "--trust", "/nonexistent.pem"],
        ["unix:/run/s", "--trust", "ca.crt"],
        ["llm.test:443", "--expect", "spiffe://corp/llm"],
        ["llm.test:443", "--trust", "ca.crt", "--expect", "spiffe://corp/*x"],
        [],
    ],
)
def test_a_wrong_command_line_ends_with_2(found, arguments, tmp_path, monkeypatch, capsys):
    pki.root().write(tmp_path)
    monkeypatch.chdir(tmp_path)

    assert cli.main(["probe", *arguments]) == 2
    assert capsys.readouterr().err.startswith("pqproxy: error: ")


def test_roots_make_a_judge_for_the_name(found, tmp_path):
    trust = str(pki.root().write(tmp_path))
    cli.main(["probe", "10.0.0.7:443", "--sni", "llm.test", "--trust", trust])
    chain = pki.root().issue(dns=("llm.test",)).chain_der

    assert found.asked.verify(chain) is None
    assert found.asked.server_name == "llm.test"
    assert found.asked.patience == 5


def test_a_server_that_is_known_by_a_uri_can_be_expected(found, tmp_path):
    """As every ingress of a mesh is: its host is in no certificate."""
    trust = str(pki.root().write(tmp_path))
    cli.main(["probe", "10.0.0.7:443", "--trust", trust, "--expect", "spiffe://corp/llm"])

    assert found.asked.verify(pki.root().issue(uris=("spiffe://corp/llm",)).chain_der) is None
    assert found.asked.verify(pki.root().issue(uris=("spiffe://corp/other",)).chain_der)


@pytest.mark.parametrize(("untrusted", "code"), [("", 0), ("nobody signed it", 3), (None, 3)])
def test_a_chain_that_is_not_believed_ends_with_3(found, untrusted, code, tmp_path):
    """None: there was no chain to judge."""
    found.outcome = everything((PQ,), untrusted=untrusted)

    assert cli.main(["probe", "llm.test:443", "--trust", str(pki.root().write(tmp_path))]) == code


def test_the_options_are_described():
    parser = argparse.ArgumentParser()
    probe.add_parser(parser.add_subparsers())

    assert parser.parse_args(["probe", "x:1", "--require-pq"]).require_pq
