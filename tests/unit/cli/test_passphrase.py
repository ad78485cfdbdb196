import argparse

import pytest

from pqproxy.cli.errors import CommandError
from pqproxy.cli.passphrase import add_passphrase_option, read_passphrase


def test_a_passphrase_comes_from_a_file_before_the_environment(tmp_path):
    (tmp_path / "p").write_bytes(b"of the file\n")
    environ = {"PQPROXY_PASSPHRASE": "of the environment"}

    assert read_passphrase(tmp_path / "p", environ) == b"of the file"
    assert read_passphrase(None, environ) == b"of the environment"
    assert read_passphrase(None, {}) is None


def test_bytes_that_are_no_utf_8_are_taken_as_they_are():
    assert read_passphrase(None, {"PQPROXY_PASSPHRASE": "\udcff"}) == b"\xff"


def test_an_empty_variable_is_a_mistake():
    """Else whoever forgot to fill it would be told that the key is encrypted."""
    with pytest.raises(CommandError, match="PQPROXY_PASSPHRASE is empty"):
        read_passphrase(None, {"PQPROXY_PASSPHRASE": ""})


def test_an_unreadable_file_is_named_with_its_option(tmp_path):
    with pytest.raises(CommandError, match=r"^--passphrase-file: there is no .*/p"):
        read_passphrase(tmp_path / "p", {})


def test_there_is_no_option_that_takes_the_passphrase_itself():
    """Every user of a machine may read the command lines of the others."""
    parser = argparse.ArgumentParser()
    add_passphrase_option(parser, "the key")

    assert [action.option_strings for action in parser._actions][1:] == [["--passphrase-file"]]
    assert "opens" not in parser.format_help()
    assert "holds the passphrase of the key" in " ".join(parser.format_help().split())
