"""`pqproxy certs init|issue|show|export`: an authority of one's own, on the command line."""

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pqproxy.cli.errors import CommandError
from pqproxy.identity import authority
from pqproxy.identity.authority import LEAF_DAYS, ROOT_DAYS
from pqproxy.identity.certificates import ALGORITHMS, DEFAULT_ALGORITHM, LeafNames
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.listing import list_directory, list_file

_DEFAULT_DIRECTORY = Path("certs")


def add_parser(subparsers: Any) -> None:
    """Describe the command and its four verbs."""
    parser = subparsers.add_parser("certs", help="make and show certificates of your own authority")
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    _add_init(verbs)
    _add_issue(verbs)
    _add_show(verbs)
    _add_export(verbs)


def _add_init(verbs: Any) -> None:
    parser = verbs.add_parser("init", help="make an authority")
    _add_place(parser)
    _add_days(parser, ROOT_DAYS)
    parser.add_argument(
        "--trust-domain",
        metavar="DOMAIN",
        help="the SPIFFE trust domain it signs for, and no other: corp or spiffe://corp",
    )
    parser.set_defaults(run=_reporting(init))


def _add_issue(verbs: Any) -> None:
    parser = verbs.add_parser("issue", help="make a certificate and its key")
    parser.add_argument("name", metavar="NAME", help="names the files; peers check the names below")
    _add_place(parser)
    for option, metavar, what in (
        ("--spiffe", "URI", "its SPIFFE ID"),
        ("--dns", "NAME", "a DNS name, repeatable"),
        ("--ip", "ADDRESS", "an IP address, repeatable"),
    ):
        parser.add_argument(option, metavar=metavar, action="append", default=[], help=what)
    _add_days(parser, LEAF_DAYS)
    parser.set_defaults(run=_reporting(issue))


def _add_show(verbs: Any) -> None:
    parser = verbs.add_parser("show", help="show what certificates there are")
    parser.add_argument("files", metavar="FILE", nargs="*", type=Path, help="default: all of --dir")
    parser.add_argument("--dir", metavar="DIR", type=Path, default=_DEFAULT_DIRECTORY)
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=_reporting(show))


def _add_export(verbs: Any) -> None:
    parser = verbs.add_parser("export", help="key, chain and roots in one file, to carry elsewhere")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="default: NAME.pem")
    _add_place(parser)
    parser.set_defaults(run=_reporting(export))


def _add_place(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir", metavar="DIR", type=Path, default=_DEFAULT_DIRECTORY, help="where they lie (certs)"
    )
    parser.add_argument(
        "--algorithm",
        choices=tuple(ALGORITHMS),
        default=DEFAULT_ALGORITHM,
        help=f"of the key and of the authority ({DEFAULT_ALGORITHM})",
    )


def _add_days(parser: argparse.ArgumentParser, default: int) -> None:
    what = f"how long it is valid ({default})"
    parser.add_argument("--days", type=int, metavar="N", default=default, help=what)


def _reporting(
    command: Callable[[argparse.Namespace], int],
) -> Callable[[argparse.Namespace], int]:
    """Turn what is wrong with files and names into what a command reports."""

    def run(arguments: argparse.Namespace) -> int:
        try:
            return command(arguments)
        except IdentityError as error:
            raise CommandError(str(error), error.fix or None) from None

    return run


def init(arguments: argparse.Namespace) -> int:
    """Make an authority."""
    root = authority.create_authority(
        arguments.dir,
        arguments.algorithm,
        now=_now(),
        trust_domain=arguments.trust_domain,
        days=arguments.days,
    )
    domain = root.trust_domain
    print(f"authority  {root.path}")
    print(f"key        {root.path.with_suffix('.key')}  (whoever has it can be anyone: keep it)")
    print(f"signs for  {f'spiffe://{domain}' if domain else 'any SPIFFE trust domain'}")
    print(f"valid to   {root.certificate.not_valid_after_utc:%Y-%m-%d}")
    return 0


def issue(arguments: argparse.Namespace) -> int:
    """Make a leaf."""
    names = LeafNames.parse(tuple(arguments.spiffe), tuple(arguments.dns), tuple(arguments.ip))
    root = authority.open_authority(arguments.dir, arguments.algorithm)
    now = _now()
    files = authority.issue(root, arguments.name, names, now=now, days=arguments.days)
    (leaf,) = list_file(files.certificate, now)
    print(f"certificate  {files.certificate}")
    print(f"key          {files.key}")
    print(f"names        {', '.join(leaf.names)}")
    print(f"valid to     {leaf.not_after[:10]}")
    print(f"trusted by   {root.path}")
    return 0


def show(arguments: argparse.Namespace) -> int:
    """List certificates."""
    now = _now()
    if arguments.files:
        listed = [entry for path in arguments.files for entry in list_file(path, now)]
    else:
        listed = list(list_directory(arguments.dir, now))
    if arguments.output == "json":
        print(json.dumps([asdict(entry) for entry in listed], indent=2))
        return 0
    for number, entry in enumerate(listed):
        ends = f"{entry.not_after[:10]} ({_remaining(entry.days_left)})"
        print("\n" * bool(number) + entry.file)
        print(f"  {entry.kind}, {entry.algorithm}, key {entry.key}")
        print(f"  subject   {entry.subject}")
        print(f"  issuer    {entry.issuer}")
        print(f"  names     {', '.join(entry.names) or '-'}")
        print(f"  valid to  {ends}")
        print(f"  serial    {entry.serial}")
        print(f"  sha256    {entry.sha256}")
    return 0


def export(arguments: argparse.Namespace) -> int:
    """Write a bundle."""
    target = arguments.file or Path(f"{arguments.name}.pem")
    authority.export(arguments.dir, arguments.name, arguments.algorithm, target)
    print(f"bundle  {target}  (holds a private key)")
    return 0


def _remaining(days: int) -> str:
    if days < 0:
        return "EXPIRED"
    return "1 day left" if days == 1 else f"{days} days left"


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
