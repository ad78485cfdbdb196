"""`pqproxy reload`: a running pqproxy reads its configuration again, as on SIGHUP."""

import argparse
import json
import sys
from typing import Any

from pqproxy.cli.control_options import add_control_options, control_client
from pqproxy.cli.errors import FAILURE, USAGE, print_error
from pqproxy.control.client import ControlRefused

PATIENCE = 60.0  # seconds: a worker may be starting, and all of them are waited for
_MISTAKEN = 422  # of HTTP: the configuration itself is wrong


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "reload",
        help="put the configuration file, as it is now, in force",
        description="Make a running pqproxy read its configuration and every file that it names "
        "again. New connections meet what is new, live ones go on. If anything is wrong, nothing "
        "changes; exit code 2 then means the configuration, 1 anything else.",
    )
    add_control_options(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask for it and say what came of it. Raises CommandError when nobody answers."""
    with control_client(arguments, PATIENCE) as client:
        try:
            outcome = client.post("/reload")
        except ControlRefused as refusal:
            if not isinstance(refusal.answer, dict) or "problems" not in refusal.answer:
                raise
            return _failed(arguments, refusal.status, refusal.answer)
    print(json.dumps(outcome, indent=2) if arguments.output == "json" else outcome["summary"])
    return 0


def _failed(arguments: argparse.Namespace, status: int, outcome: dict[str, Any]) -> int:
    mistaken = status == _MISTAKEN
    if arguments.output == "json":
        print(json.dumps(outcome, indent=2))
    else:
        for problem in outcome["problems"]:
            if mistaken:  # as every command says it of a file
                print(problem, file=sys.stderr)
            else:
                print_error(problem)
    return USAGE if mistaken else FAILURE
