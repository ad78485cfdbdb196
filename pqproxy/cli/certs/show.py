"""`pqproxy certs show`: what there is, for people and for scripts."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pqproxy.cli.certs.options import add_output, add_verb, current_time
from pqproxy.identity.listing import Listed, list_directory, list_file


def add_verbs(verbs: Any) -> None:
    """Describe the verb."""
    parser = add_verb(verbs, show, "show certificates, requests and revocation lists")
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="default: all of --dir")
    add_output(parser)


def show(arguments: argparse.Namespace) -> int:
    """List what there is."""
    now = current_time()
    if arguments.files:
        listed = [entry for path in arguments.files for entry in list_file(path, now)]
    else:
        listed = list(list_directory(arguments.dir, now))
    if arguments.output == "json":
        print(json.dumps([asdict(entry) for entry in listed], indent=2))
        return 0
    for number, entry in enumerate(listed):
        print("\n" * bool(number) + entry.file)
        _print(entry)
    return 0


def _print(entry: Listed) -> None:
    ends = f"{entry.not_after[:10]} ({_remaining(entry.days_left)})"
    print(f"  {entry.kind}, {entry.algorithm}, key {entry.key}")
    print(f"  subject   {entry.subject}")
    print(f"  issuer    {entry.issuer}")
    print(f"  names     {', '.join(entry.names) or '-'}")
    print(f"  valid to  {ends}")
    print(f"  serial    {entry.serial}")
    print(f"  sha256    {entry.sha256}")


def _remaining(days: int) -> str:
    if days < 0:
        return "EXPIRED"
    return "1 day left" if days == 1 else f"{days} days left"
