"""What the verbs of `pqproxy certs` share: options, the clock, and how a mistake is reported."""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pqproxy.cli.errors import FAILURE, USAGE, CommandError
from pqproxy.cli.passphrase import read_passphrase, refuse_argument
from pqproxy.identity.certificates import ALGORITHMS, LeafNames
from pqproxy.identity.errors import CannotWrite, IdentityError
from pqproxy.identity.listing import list_file

DEFAULT_DIRECTORY = Path("certs")


def add_verb(
    verbs: Any, command: Callable[[argparse.Namespace], int], summary: str, description: str = ""
) -> argparse.ArgumentParser:
    """Describe a verb, called as its function is, and where its files lie."""
    parser: argparse.ArgumentParser = verbs.add_parser(
        command.__name__, help=summary, description=description or summary
    )
    parser.add_argument(
        "--dir", metavar="DIR", type=Path, default=DEFAULT_DIRECTORY, help="where they lie (certs)"
    )
    parser.set_defaults(run=_reporting(command))
    return parser


def add_algorithm(parser: argparse.ArgumentParser, without: str) -> None:
    """Add `--algorithm`; `without` says what holds where it is absent."""
    parser.add_argument("--algorithm", choices=tuple(ALGORITHMS), help=f"this one only ({without})")


def add_days(parser: argparse.ArgumentParser, default: int | None, of: str = "it is valid") -> None:
    """Add `--days`."""
    shown = "as long as before" if default is None else default
    what = f"how long {of} ({shown})"
    parser.add_argument("--days", type=int, metavar="N", default=default, help=what)


def add_names(parser: argparse.ArgumentParser) -> None:
    """Add what a leaf may be called."""
    for option, metavar, what in (
        ("--spiffe", "URI", "its SPIFFE ID"),
        ("--dns", "NAME", "a DNS name, repeatable"),
        ("--ip", "ADDRESS", "an IP address, repeatable"),
    ):
        parser.add_argument(option, metavar=metavar, action="append", default=[], help=what)


def add_key_passphrase(parser: argparse.ArgumentParser) -> None:
    """Add what opens, or closes, the key of a leaf."""
    parser.add_argument(
        "--key-passphrase-file",
        metavar="FILE",
        type=Path,
        help="holds the passphrase of the certificate's own key in one line",
    )
    refuse_argument(parser, "--key-passphrase", "use --key-passphrase-file FILE")


def given_passphrase(arguments: argparse.Namespace) -> bytes | None:
    """Read what `--passphrase-file` or the environment says. Raises CommandError."""
    return read_passphrase(arguments.passphrase_file, os.environ)


def given_key_passphrase(arguments: argparse.Namespace) -> bytes | None:
    """Read what `add_key_passphrase` added. Raises CommandError."""
    return read_passphrase(arguments.key_passphrase_file, {})


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add `-o`."""
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")


def given_names(arguments: argparse.Namespace) -> LeafNames:
    """Read what `add_names` added. Raises IdentityError."""
    return LeafNames.parse(tuple(arguments.spiffe), tuple(arguments.dns), tuple(arguments.ip))


def print_rows(rows: Iterable[tuple[str, str]], *, first: bool = True) -> None:
    """Print what was made, a line each; an empty line before all but the first block."""
    if not first:
        print()
    for name, value in rows:
        print(f"{name:<12} {value}")


def print_listing(paths: Iterable[Path]) -> None:
    """Print of files what `certs show -o json` says of them."""
    now = current_time()
    listed = [asdict(entry) for path in paths for entry in list_file(path, now)]
    print(json.dumps(listed, indent=2))


def current_time() -> datetime:
    """Return the time, in UTC."""
    return datetime.fromtimestamp(time.time(), UTC)


def command_error(error: IdentityError) -> CommandError:
    """What a command reports of what is wrong with files and names, or of a disk that is full."""
    exit_code = FAILURE if isinstance(error, CannotWrite) else USAGE
    return CommandError(str(error), error.fix or None, exit_code)


def _reporting(
    command: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """Turn what is wrong with files and names into what a command reports."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except IdentityError as error:
            raise command_error(error) from None
        except PermissionError as error:
            hint = "run it as whoever owns the directory"
            raise CommandError(f"{error.filename}: {error.strerror}", hint) from None

    return run
