"""`pqproxy config validate|explain|schema`: what a file says, without starting anything."""

import argparse
import json
from pathlib import Path
from typing import Any


def add_parser(subparsers: Any) -> None:
    """Describe the command and its three verbs."""
    parser = subparsers.add_parser("config", help="check a configuration file, or explain it")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    validate_parser = verbs.add_parser(
        "validate", help="every problem with its line and column; exit code 2 if there is one"
    )
    explain_parser = verbs.add_parser(
        "explain", help="the effective configuration, and where each value came from"
    )
    schema_parser = verbs.add_parser("schema", help="JSON Schema, for editors")
    for verb, function in ((validate_parser, validate), (explain_parser, explain)):
        verb.add_argument("-c", "--config", metavar="FILE", type=Path, required=True)
        verb.set_defaults(run=function)
    schema_parser.set_defaults(run=schema)


def validate(arguments: argparse.Namespace) -> int:
    """Say that a file is good; ConfigError says the rest."""
    from pqproxy.cli.loading import load_config

    settings = load_config(arguments.config).settings()
    counts = f"{len(settings.ingress)} ingress, {len(settings.egress)} egress"
    print(f"{arguments.config}: good ({counts})")
    return 0


def explain(arguments: argparse.Namespace) -> int:
    """Print the effective configuration."""
    from pqproxy.cli.loading import load_config
    from pqproxy.config.explain import explain as explained

    print(explained(load_config(arguments.config)), end="")
    return 0


def schema(_arguments: argparse.Namespace) -> int:
    """Print the JSON Schema."""
    from pqproxy.config.schema import File

    print(json.dumps(File.model_json_schema(), indent=2))
    return 0
