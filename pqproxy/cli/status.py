"""`pqproxy status`: what a running pqproxy does; with `-q` the health check of a container."""

import argparse
from typing import Any

from pqproxy.cli.control_options import add_control_options, control_client
from pqproxy.cli.errors import FAILURE, CommandError


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "status",
        help="what a running pqproxy does",
        description="Ask a running pqproxy, over its control listener, what it does: listeners, "
        "handshakes by group, refusals by reason, ends of certificates.",
    )
    add_control_options(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="(text)")
    parser.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="print nothing; exit code 0 when it is ready for connections, else 1",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask and show. Raises CommandError when nobody answers."""
    if arguments.quiet:
        return _health(arguments)
    with control_client(arguments) as client:
        status = client.get("/status")
    if arguments.output == "json":
        import json

        print(json.dumps(status, indent=2))
        return 0
    import time
    from datetime import UTC, datetime

    from pqproxy.control.summary import summary

    print("\n".join(summary(status, datetime.fromtimestamp(time.time(), UTC))))
    return 0


def _health(arguments: argparse.Namespace) -> int:
    from pqproxy.control.summary import is_ready

    try:
        with control_client(arguments) as client:
            return 0 if is_ready(client.get("/status")) else FAILURE
    except CommandError as error:
        if error.exit_code == FAILURE:
            return FAILURE
        raise  # a mistake on the command line stays one
