import argparse
from pathlib import Path

from pqproxy.cli.main import COMMANDS, build_parser
from pqproxy.cli.tree import command_tree


def tree():
    parser = argparse.ArgumentParser(prog="pqproxy", description="all")
    verbs = parser.add_subparsers()
    certs = verbs.add_parser("certs", help="make them")
    certs.add_argument("name", metavar="NAME")
    certs.add_argument("files", nargs="*", type=Path)
    certs.add_argument(
        "-o", "--output", choices=("text", "json"), help="how (%(default)s)", default="text"
    )
    certs.add_argument("--dir", metavar="DIR", type=Path, required=True)
    certs.add_argument("--policy", metavar="require|prefer")
    certs.add_argument("-q", action="store_true")
    certs.add_argument("--secret", help=argparse.SUPPRESS)
    return command_tree(parser)


def test_commands_know_their_way_and_their_summary():
    root = tree()

    assert [command.name for command in root.walk()] == ["pqproxy", "pqproxy certs"]
    assert root.commands[0].summary == "make them"


def test_options_tell_what_they_take():
    (certs,) = tree().commands
    options = {option.names[-1]: option for option in certs.options}

    assert (options["--output"].metavar, options["--output"].help) == ("text|json", "how (text)")
    assert options["--output"].names == ("-o", "--output")
    assert options["--policy"].choices == ("require", "prefer"), "as they are shown"
    assert options["--dir"].completes == "directories"
    assert options["--dir"].required
    assert not options["-q"].takes_value
    assert "--secret" not in options, "what is hidden stays hidden"


def test_positionals_tell_what_they_take():
    name, files = tree().commands[0].positionals

    assert (name.names, name.metavar, name.completes) == ((), "NAME", None)
    assert files.repeatable
    assert files.completes == "files"


def test_usage_is_one_line_with_what_is_required_first():
    root = tree()

    assert root.usage == "pqproxy COMMAND"
    assert root.commands[0].usage == "pqproxy certs --dir DIR [OPTION]... NAME [FILES...]"


def test_every_command_of_ours_says_what_it_is_for():
    for command in command_tree(build_parser(COMMANDS)).walk():
        assert command.description, command.name
