import argparse
from pathlib import Path

import pytest

from pqproxy.cli.credential_options import add_credential_options, given_passphrase
from pqproxy.cli.errors import CommandError


def parser():
    made = argparse.ArgumentParser(prog="pqproxy")
    add_credential_options(made, "client certificates")
    return made


def test_identities_and_trust_are_paths_that_may_be_left_out():
    given = parser().parse_args(["--identity", "a.pem", "--identity", "b", "--trust", "roots"])

    assert (given.identity, given.trust) == ([Path("a.pem"), Path("b")], Path("roots"))
    assert not any(vars(parser().parse_args([])).values())


def test_the_help_says_what_the_roots_sign():
    assert "roots that sign client certificates" in parser().format_help()


def test_the_passphrase_of_an_identity_is_read(tmp_path):
    (tmp_path / "p").write_text("correct horse\n")
    given = ["--identity", "a.pem", "--passphrase-file", str(tmp_path / "p")]

    assert given_passphrase(parser().parse_args(given)) == b"correct horse"


def test_a_passphrase_in_the_environment_is_nothing_to_whoever_names_no_identity(monkeypatch):
    """The key that is made then is not encrypted."""
    monkeypatch.setenv("PQPROXY_PASSPHRASE", "correct horse")

    assert given_passphrase(parser().parse_args([])) is None
    assert given_passphrase(parser().parse_args(["--identity", "a.pem"])) == b"correct horse"


def test_a_passphrase_file_without_an_identity_is_a_mistake():
    with pytest.raises(CommandError, match="--identity, which is not given"):
        given_passphrase(parser().parse_args(["--passphrase-file", "p"]))
