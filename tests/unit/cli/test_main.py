import argparse
import subprocess
import sys

import pytest

from pqproxy.cli import main as cli
from pqproxy.cli.errors import CommandError
from pqproxy.config.problems import ConfigError, Position, Problem


@pytest.fixture
def command(monkeypatch):
    """One command, `run`, that does what the test says."""
    calls = []

    class Module:
        outcome = 0

        @staticmethod
        def add_parser(subparsers):
            parser = subparsers.add_parser("run")
            parser.add_argument("-c", "--config")
            parser.add_argument("--keylog")
            parser.set_defaults(run=Module.run)

        @staticmethod
        def run(arguments):
            calls.append(arguments)
            if isinstance(Module.outcome, BaseException):
                raise Module.outcome
            return Module.outcome

    Module.calls = calls
    monkeypatch.setattr(cli.importlib, "import_module", lambda name: Module)
    return Module


@pytest.mark.parametrize("arguments", [["-c", "f"], ["--config", "f"], ["--config=f"]])
def test_a_config_alone_means_run(command, arguments):
    assert cli.main(arguments) == 0
    assert command.calls[0].config == "f"


def test_the_exit_code_of_a_command_is_the_exit_code(command):
    command.outcome = 4

    assert cli.main(["run"]) == 4


def test_an_error_of_a_command_is_said_in_words(command, capsys):
    command.outcome = CommandError("it broke", "mend it", exit_code=1)

    assert cli.main(["run"]) == 1
    assert capsys.readouterr().err == "pqproxy: error: it broke\nhint: mend it\n"


def test_config_problems_are_one_line_each(command, capsys):
    problems = [Problem(Position(line, 1), ("a",), "x") for line in (2, 1)]
    command.outcome = ConfigError("f.yaml", problems)

    assert cli.main(["run"]) == 2
    assert capsys.readouterr().err == "f.yaml:1:1: a: x\nf.yaml:2:1: a: x\n"


def test_an_interrupt_is_no_traceback(command, capsys):
    command.outcome = KeyboardInterrupt()

    assert cli.main(["run"]) == 130
    assert capsys.readouterr().err == ""


def test_our_own_bug_keeps_its_traceback(command):
    command.outcome = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        cli.main(["run"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serv"], "there is no command 'serv', did you mean serve"),
        (["bench"], "bench is not yet available"),
        (["run", "--conf", "x"], "unrecognized arguments: --conf x"),
    ],
)
def test_a_wrong_command_line_ends_with_2(command, capsys, arguments, said):
    assert cli.main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"pqproxy: error: {said}\n")


def test_a_command_is_needed(capsys):
    assert cli.main([]) == 2
    assert "the following arguments are required: COMMAND" in capsys.readouterr().err


def test_the_error_of_a_command_line_says_where_help_is(command, capsys):
    cli.main(["run", "--nonsense"])

    assert capsys.readouterr().err.endswith("hint: pqproxy --help shows what it takes\n")


def test_every_command_can_be_described():
    parser = cli.build_parser(cli.COMMANDS)

    assert isinstance(parser, argparse.ArgumentParser)
    assert all(name in parser.format_help() for name in cli.COMMANDS)


def test_a_command_is_either_there_or_for_later():
    assert not set(cli.COMMANDS) & cli.LATER


def test_version_needs_no_command(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("pqproxy ")


def test_a_reader_that_leaves_early_causes_no_traceback():
    """`pqproxy config schema | head -0`."""
    program = "import sys; from pqproxy.cli.main import main; sys.exit(main(['config', 'schema']))"
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.close()

    errors = process.stderr.read()
    process.stderr.close()

    assert process.wait() == 1
    assert errors == b""


def test_a_full_disk_causes_no_traceback():
    """`pqproxy config schema > proxy.schema.json`; nobody may take an empty file for a good one."""
    program = "import sys; from pqproxy.cli.main import main; sys.exit(main(['config', 'schema']))"
    with open("/dev/full", "wb") as full:
        done = subprocess.run([sys.executable, "-c", program], stdout=full, stderr=subprocess.PIPE)

    assert done.returncode == 1
    assert done.stderr.startswith(b"pqproxy: error: no space left")
    assert b"Traceback" not in done.stderr


def test_a_command_imports_no_other_command():
    """Each starts as fast as it can: no parser, TLS or HTTP for `--version`."""
    program = (
        "import sys; from pqproxy.cli.main import main; main(['--version']); "
        "sys.exit(bool({'pydantic', 'yaml', 'aiohttp', 'pqproxy.cli.serve'} & set(sys.modules)))"
    )

    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
