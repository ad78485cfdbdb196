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


def parser():
    made = argparse.ArgumentParser()
    add_passphrase_option(made, "the key")
    return made


@pytest.mark.parametrize("given", [["--passphrase", "hunter2"], ["--passphrase=hunter2"]])
def test_a_passphrase_on_the_command_line_is_refused_and_not_repeated(given):
    """Every user of a machine may read the command lines of the others."""
    with pytest.raises(CommandError, match="every user of this machine") as refused:
        parser().parse_args(given)

    assert "hunter2" not in f"{refused.value}{refused.value.hint}"
    assert "--passphrase-file" in refused.value.hint


def test_the_help_says_which_key_is_opened():
    assert "holds the passphrase of the key in one line" in " ".join(parser().format_help().split())
    assert "--passphrase " not in parser().format_help()
