"""`pqproxy`: finds the command, runs it, and says how it failed.

A command is one file here with `add_parser(subparsers)`; only the one that was asked for is
imported, so that each starts as fast as it can.
"""

import argparse
import errno
import importlib
import os
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import NoReturn

from pqproxy.cli.errors import CommandError, print_error
from pqproxy.config.problems import ConfigError, did_you_mean

COMMANDS = {
    "run": "pqproxy.cli.run",
    "serve": "pqproxy.cli.serve",
    "connect": "pqproxy.cli.connect",
    "demo": "pqproxy.cli.demo",
    "certs": "pqproxy.cli.certs",
    "config": "pqproxy.cli.config",
    "check": "pqproxy.cli.check",
    "status": "pqproxy.cli.status",
    "observed": "pqproxy.cli.observed",
    "drain": "pqproxy.cli.drain",
    "reload": "pqproxy.cli.reload",
    "probe": "pqproxy.cli.probe",
    "sniff": "pqproxy.cli.sniff",
    "sign": "pqproxy.cli.sign",
    "verify": "pqproxy.cli.verify",
    "completion": "pqproxy.cli.completion",
}
LATER = frozenset(("bench", "rules"))
# `pqproxy -c F` is `pqproxy run -c F`.
_OPTIONS_OF_RUN = ("-c", "--config", "--keylog", "--no-landlock")
_INTERRUPTED = 130  # as shells say it: 128 + SIGINT


class Parser(argparse.ArgumentParser):
    """argparse with our form of errors, and no abbreviations that a new option could break."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **kwargs})  # type: ignore[arg-type] # passed on as they came

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing: `main` does that."""
        raise CommandError(message, f"{self.prog} --help shows what it takes")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    # Of a certificate with an odd name or serial number the library warns, and in Python.
    warnings.simplefilter("ignore", UserWarning)
    try:
        return _run(sys.argv[1:] if arguments is None else list(arguments))
    except CommandError as error:
        print_error(error.message, error.hint)
        return error.exit_code
    except ConfigError as error:
        print("\n".join(error.lines()), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader left (`pqproxy config schema | head`). Python flushes at exit: give it a sink.
        _sink_output()
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _sink_output()
        print_error("no space left for what is to be written", "is a disk full?")
        return 1


def _sink_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if arguments and arguments[0].partition("=")[0] in _OPTIONS_OF_RUN:
        arguments = ["run", *arguments]
    if "--version" in arguments[:1]:
        from pqproxy.cli.version import report

        print(report())
        return 0
    if not arguments or arguments[0].startswith("-"):
        options = build_parser(COMMANDS).parse_args(arguments)
    else:
        _check_command(arguments[0])
        options = build_parser([arguments[0]]).parse_args(arguments)
    code = int(options.run(options))
    sys.stdout.flush()  # here a failure can be told
    return code


def _check_command(name: str) -> None:
    if name in LATER:
        raise CommandError(f"{name} is not yet available")
    if name not in COMMANDS:
        meant = did_you_mean(name, COMMANDS)
        raise CommandError(f"there is no command {name!r}{meant}", "pqproxy --help lists them")


def build_parser(commands: Iterable[str]) -> Parser:
    """Make the parser, with these commands."""
    parser = Parser(
        prog="pqproxy",
        description="Post-quantum TLS for model servers that nobody can change.",
        epilog="pqproxy -c FILE is pqproxy run -c FILE. Exit codes: 0 good, 1 failure at run time, "
        "2 usage or configuration, 3 negative verdict, 4 drain was forced.",
    )
    parser.add_argument("--version", action="store_true", help="versions of all that matters")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in commands:
        importlib.import_module(COMMANDS[name]).add_parser(subparsers)
    return parser
