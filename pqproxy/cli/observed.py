"""`pqproxy observed`: whom `policy: require` would refuse, as far as `policy: observe` saw."""

import argparse
from typing import Any

from pqproxy.cli.control_options import add_control_options, control_client


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "observed",
        help="whom policy: require would refuse, and why",
        description="Ask a running pqproxy, over its control listener, which callers its "
        "listeners with policy: observe saw that policy: require would refuse: who, why, what "
        "they offered, since when and how often.",
    )
    add_control_options(parser)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Ask and show. Raises CommandError when nobody answers."""
    with control_client(arguments) as client:
        observed = client.get("/observed")
    if arguments.output == "json":
        import json

        print(json.dumps(observed, indent=2))
        return 0
    from pqproxy.control.observed import report

    print("\n".join(report(observed)))
    return 0
