"""`pqproxy check`: whether what a configuration asks for can be had, line by line."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pqproxy.cli.errors import VERDICT, CommandError, wants_colour
from pqproxy.cli.machine import require_linux

_DESCRIPTION = (
    "Check a configuration, the certificates, libraries, ports, servers and peers that it names, "
    "and this machine; while pqproxy runs, too. Exit code 3 when something does not work."
)


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "check", help="whether everything a configuration needs is there", description=_DESCRIPTION
    )
    parser.add_argument(
        "-c", "--config", metavar="FILE", type=Path, required=True, help="what to check"
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="(text)")
    parser.add_argument(
        "--wait",
        metavar="DURATION",
        help="repeat until nothing fails, at most so long, such as 60s",
    )
    connections = parser.add_mutually_exclusive_group()
    connections.add_argument(
        "--dial-upstreams",
        action="store_true",
        help="connect to upstreams too: without it nobody is sent even an empty connection, which "
        "some servers hang on; where alpn says what they speak they get one request",
    )
    connections.add_argument(
        "--offline", action="store_true", help="connect to nobody, not to peers either"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Check, show, and return the exit code."""
    require_linux()
    from pqproxy.checking.findings import Level
    from pqproxy.checking.rendering import document, text
    from pqproxy.checking.run import Consent, check_until_good

    consent = Consent(not arguments.offline, arguments.dial_upstreams)
    report = check_until_good(arguments.config, consent, _patience(arguments.wait), _tell)
    if arguments.output == "json":
        print(json.dumps(document(report), indent=2))
    else:
        out = sys.stdout
        print(text(report, colour=wants_colour(out), encoding=out.encoding or "utf-8"))
    return VERDICT if report.verdict is Level.FAILURE else 0


def _patience(wait: str | None) -> float:
    """Seconds. Raises CommandError."""
    if wait is None:
        return 0.0
    from pqproxy.config.units import parse_duration

    try:
        seconds = parse_duration(wait)
    except ValueError as error:
        raise CommandError(f"--wait: {error}") from None
    if seconds is None:
        raise CommandError("--wait: never is not a duration", "such as --wait 60s")
    return seconds


def _tell(failures: tuple[str, ...]) -> None:
    for failure in failures:
        print(f"pqproxy: waiting: {failure}", file=sys.stderr, flush=True)
