"""`pqproxy certs show`: what there is, for people and for scripts."""

import argparse
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from pqproxy.cli.certs.options import add_output, add_verb, current_time
from pqproxy.identity.leaves import leaf_directory, leaf_names
from pqproxy.identity.listing import (
    Entry,
    ListedKey,
    ListedRequest,
    ListedRevocations,
    list_directory,
    list_file,
)


def add_verbs(verbs: Any) -> None:
    """Describe the verb."""
    parser = add_verb(verbs, show, "show certificates, requests and revocation lists")
    parser.add_argument(
        "targets", metavar="NAME|FILE", nargs="*", type=Path, help="default: all of --dir"
    )
    add_output(parser)


def show(arguments: argparse.Namespace) -> int:
    """List what there is."""
    now = current_time()
    if arguments.targets:
        listed = [one for target in arguments.targets for one in _found(arguments, target, now)]
    else:
        listed = list(list_directory(arguments.dir, now))
    if arguments.output == "json":
        print(json.dumps([asdict(entry) for entry in listed], indent=2))
        return 0
    for number, entry in enumerate(listed):
        print("\n" * bool(number) + entry.file)
        print(f"  {_headline(entry)}")
        for name, value in _rows(entry):
            print(f"  {name:<10} {value}")
    return 0


def _found(arguments: argparse.Namespace, target: Path, now: datetime) -> Iterable[Entry]:
    # As in `revoke`, a name is what other commands of certs take, so people try it here.
    if target.exists() or str(target) not in leaf_names(arguments.dir):
        return list_file(target, now)
    place = leaf_directory(arguments.dir, str(target))
    return (one for one in list_directory(arguments.dir, now) if Path(one.file).parent == place)


def _rows(entry: Entry) -> Iterator[tuple[str, str]]:
    if isinstance(entry, ListedKey):
        yield "next", "put the certificate beside it that was made of its request"
        return
    if isinstance(entry, ListedRequest):
        yield "names", ", ".join(entry.names)
        yield "not taken", ", ".join(entry.not_taken) or "-"
        return
    if isinstance(entry, ListedRevocations):
        yield "issuer", f"{entry.issuer} (signature {entry.signature})"
        yield "number", str(entry.number)
        yield "good until", _until(entry.next_update, entry.days_left, "OUT OF DATE")
        for one in entry.revoked:
            yield "revoked", f"{one.serial}, {one.since[:10]}, {one.reason}"
        return
    yield "subject", entry.subject
    yield "issuer", entry.issuer
    yield "names", ", ".join(entry.names) or "-"
    yield "valid to", _until(entry.not_after, entry.days_left, "EXPIRED")
    yield "serial", entry.serial
    yield "sha256", entry.sha256


def _headline(entry: Entry) -> str:
    if isinstance(entry, ListedRevocations):
        return entry.kind
    if isinstance(entry, ListedKey):
        return f"{entry.kind} without a certificate, {entry.key}"
    if isinstance(entry, ListedRequest):
        return f"{entry.kind}, {entry.algorithm}, proved by its key"
    return f"{entry.kind}, {entry.algorithm}, key {entry.key}" + ", REVOKED" * entry.revoked


def _until(end: str | None, days: int | None, over: str) -> str:
    if end is None or days is None:
        return "no end"
    if days < 0:
        return f"{end[:10]} ({over})"
    return f"{end[:10]} ({days} day{'s' * (days != 1)} left)"
