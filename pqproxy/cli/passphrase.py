"""The passphrase of a private key, for commands without a configuration: from a file or the
environment, never from the command line, where every user of the machine could read it.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from pqproxy.cli.errors import CommandError
from pqproxy.config.files import UnreadableFile
from pqproxy.config.files import read_passphrase as read_passphrase_file
from pqproxy.config.values import PASSPHRASE_VARIABLE


class _Refused(argparse.Action):
    """Whoever tries it is told how, and an error about the unknown would repeat the passphrase."""

    def __call__(self, *_: object, **__: object) -> None:
        (option,) = self.option_strings
        message = f"{option}: every user of this machine could read it on the command line"
        raise CommandError(message, self.const)


def add_passphrase_option(parser: argparse.ArgumentParser, key: str) -> None:
    """Add `--passphrase-file`; `key` says which key it opens."""
    parser.add_argument(
        "--passphrase-file",
        metavar="FILE",
        type=Path,
        help=f"holds the passphrase of {key} in one line (default: what "
        f"{PASSPHRASE_VARIABLE} in the environment says)",
    )
    refuse_argument(parser, "--passphrase", f"use --passphrase-file FILE, or {PASSPHRASE_VARIABLE}")


def refuse_argument(parser: argparse.ArgumentParser, option: str, hint: str) -> None:
    """Refuse a passphrase that is given as the argument of an option; the hint says what to do."""
    parser.add_argument(option, nargs="?", action=_Refused, const=hint, help=argparse.SUPPRESS)


def read_passphrase(file: Path | None, environ: Mapping[str, str]) -> bytes | None:
    """Return the passphrase that was given, or None. Raises CommandError."""
    if file is not None:
        try:
            return read_passphrase_file(file)
        except UnreadableFile as error:
            raise CommandError(f"--passphrase-file: {error}") from None
    given = environ.get(PASSPHRASE_VARIABLE)
    if given == "":
        raise CommandError(
            f"{PASSPHRASE_VARIABLE} is empty", "unset it, or set it to the passphrase"
        )
    return None if given is None else given.encode(errors="surrogateescape")
