"""`pqproxy run -c FILE`: everything that a configuration file says, until a signal."""

import argparse
import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pqproxy.cli.errors import CommandError
from pqproxy.cli.machine import require_linux
from pqproxy.config.problems import ConfigError
from pqproxy.config.values import Settings

if TYPE_CHECKING:
    from pqproxy.config.parse import Parsed
    from pqproxy.supervisor.reading import Reading, Reread


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "run",
        help="run what a configuration file says",
        description="Run what a configuration file says, until SIGTERM or Ctrl-C.",
    )
    parser.add_argument("-c", "--config", metavar="FILE", type=Path, required=True)
    parser.add_argument(
        "--keylog",
        metavar="FILE",
        type=Path,
        help="DANGEROUS: write TLS secrets there, for Wireshark; whoever reads them reads all",
    )
    add_landlock_option(parser)
    parser.set_defaults(run=run)


def add_landlock_option(parser: argparse.ArgumentParser) -> None:
    """Add `--no-landlock`, for every command that ends in `supervise`."""
    parser.add_argument(
        "--no-landlock",
        action="store_true",
        help="keep rights to files and ports that the configuration does not need",
    )


def run(arguments: argparse.Namespace) -> int:
    """Check the file, once what it names is there, then hand over to the supervisor."""
    from pqproxy.cli.waiting import Told, load_when_there

    try:
        parsed = load_when_there(arguments.config)
    except Told:
        return 0
    settings = parsed.settings()
    if arguments.keylog:
        settings = with_keylog(settings, arguments.keylog)
    settings = apply_landlock_option(settings, arguments)
    reading = _reading(arguments, parsed, settings)
    return supervise(reading, lambda in_force: _reread(arguments, in_force))


def _reading(arguments: argparse.Namespace, parsed: "Parsed", settings: Settings) -> "Reading":
    """Settings, with the way to read again what the configuration names, but not itself."""
    from pqproxy.cli.loading import load_config
    from pqproxy.supervisor.errors import ReloadFailure
    from pqproxy.supervisor.reading import Reading

    def again() -> Settings:
        try:
            renewed = load_config(arguments.config, parsed.text).settings()
        except ConfigError as error:
            raise ReloadFailure(*error.lines()) from None
        return dataclasses.replace(settings, identities=renewed.identities, trust=renewed.trust)

    return Reading(settings, again)


def _reread(arguments: argparse.Namespace, in_force: Settings) -> "Reading":
    """Read the file again, for a reload. Raises ReloadFailure with every problem."""
    from pqproxy.cli.loading import load_config
    from pqproxy.supervisor.changes import restart_needed
    from pqproxy.supervisor.errors import ReloadFailure

    try:
        parsed = load_config(arguments.config)
        settings = apply_landlock_option(parsed.settings(), arguments)
        settings = dataclasses.replace(settings, keylog=in_force.keylog)
        for path, message in restart_needed(in_force, settings):
            parsed.complain(path, message)
        parsed.settings()
    except ConfigError as error:
        raise ReloadFailure(*error.lines()) from None
    return _reading(arguments, parsed, settings)


def apply_landlock_option(settings: Settings, arguments: argparse.Namespace) -> Settings:
    """Turn Landlock off where the command line says so."""
    return dataclasses.replace(settings, landlock=False) if arguments.no_landlock else settings


def supervise(reading: "Reading", reread: "Reread") -> int:
    """Run what was read until a signal, and return the exit code; a reload asks `reread`.

    Raises CommandError off Linux.
    """
    require_linux()
    from pqproxy.supervisor.run import run as run_supervisor

    return run_supervisor(reading, reread)


def with_keylog(settings: Settings, path: Path) -> Settings:
    """Turn the key log on: into a file for the owner's eyes only, and not without saying so.

    Raises CommandError when the file cannot be written.
    """
    path = path.absolute()
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
    except OSError as error:
        raise CommandError(f"--keylog: {path} cannot be written: {error.strerror}") from None
    print(
        f"pqproxy: WARNING: --keylog writes the secrets of every connection to {path}\n"
        "pqproxy: WARNING: whoever reads that file can decrypt all traffic of this run",
        file=sys.stderr,
    )
    return dataclasses.replace(settings, keylog=str(path))
