import argparse
import json
from datetime import UTC, timedelta

import pytest

from pqproxy.cli.certs.options import (
    add_key_passphrase,
    add_verb,
    command_error,
    current_time,
    print_rows,
)
from pqproxy.cli.errors import CommandError
from pqproxy.identity.errors import CannotWrite, IdentityError


def test_what_is_wrong_with_a_file_becomes_what_a_command_reports():
    def frown(_):
        raise IdentityError("a.crt is missing", "make one")

    verbs = argparse.ArgumentParser().add_subparsers()
    arguments = add_verb(verbs, frown, "frown").parse_args([])

    with pytest.raises(CommandError) as error:
        arguments.run(arguments)

    assert (error.value.message, error.value.hint) == ("a.crt is missing", "make one")


@pytest.mark.parametrize(
    ("error", "code"),
    [(CannotWrite("cannot write ca.crl: No space left on device"), 1), (IdentityError("x"), 2)],
)
def test_a_disk_that_is_full_is_no_mistake_of_usage(error, code):
    """A script may try the first again as it is."""
    assert command_error(error).exit_code == code


def test_a_directory_of_somebody_elses_is_named():
    def frown(_):
        raise PermissionError(13, "Permission denied", "certs/leaf")

    verbs = argparse.ArgumentParser().add_subparsers()
    arguments = add_verb(verbs, frown, "frown").parse_args([])

    with pytest.raises(CommandError, match="certs/leaf: Permission denied"):
        arguments.run(arguments)


@pytest.mark.parametrize("given", [["--key-passphrase", "hunter2"], ["--key-passphrase=hunter2"]])
def test_a_passphrase_of_a_leaf_on_the_command_line_is_refused_and_not_repeated(given):
    parser = argparse.ArgumentParser()
    add_key_passphrase(parser)

    with pytest.raises(CommandError, match=r"^--key-passphrase: every user") as refused:
        parser.parse_args(given)

    assert "hunter2" not in f"{refused.value}{refused.value.hint}"
    assert refused.value.hint == "use --key-passphrase-file FILE"
    assert "--key-passphrase " not in parser.format_help()


def test_rows_are_aligned_and_blocks_are_apart(capsys):
    print_rows([("key", "a.key"), ("certificate", "a.crt")])
    print_rows([("key", "b.key")], first=False)

    assert capsys.readouterr().out == (
        "key          a.key\ncertificate  a.crt\n\nkey          b.key\n"
    )


def test_the_time_is_in_utc():
    assert current_time().tzinfo is UTC
    assert abs(current_time() - current_time()) < timedelta(minutes=1)


def test_what_was_made_is_told_to_scripts_as_show_tells_it(certs, capsys):
    def told(*arguments):
        assert certs(*arguments, "-o", "json") == 0
        return json.loads(capsys.readouterr().out)

    made = told("init")
    made += told("issue", "llm", "--dns", "llm.test")
    certs("csr", "app", "--dns", "app.test", "--dir", "there")
    capsys.readouterr()
    made += told("sign", "app.csr")

    shown = told("show")
    assert sorted(one["file"] for one in made) == sorted(one["file"] for one in shown)
    assert all(one in shown for one in made)
