"""`pqproxy verify FILE`: who signed it, and whether that is who was expected."""

import argparse
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pqproxy.cli.errors import FAILURE, VERDICT, CommandError
from pqproxy.cli.signature_files import (
    add_file_arguments,
    content_of,
    failures_told,
    is_standard_input,
    signature_beside,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pqproxy.identity.trust import Trust
    from pqproxy.probing.lines import Line
    from pqproxy.signing import Verdict


def add_parser(subparsers: Any) -> None:
    """Describe the command."""
    parser = subparsers.add_parser(
        "verify",
        help="verify the signature of a file",
        description="Say who signed a file, and whether that is who was expected: both halves of "
        "the signature, the signer's certificates up to a root, their kinds, the name, and at last "
        "the content. A file is what it was only while nobody writes to it: verify what you use.",
        epilog="Exit codes: 0 good, 1 a file cannot be read, 2 usage, 3 not good.",
    )
    add_file_arguments(parser, "where it lies (default: FILE.pqsig)")
    parser.add_argument(
        "--trust", metavar="FILE", type=Path, required=True, help="roots that sign signers"
    )
    parser.add_argument(
        "--expect",
        metavar="ID",
        action="append",
        required=True,
        help="who may have signed, such as spiffe://corp/ns/models/sa/publisher, repeatable; "
        "any-trusted: whoever the roots vouch for",
    )
    parser.add_argument(
        "--crl",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="revocation lists, or a directory of them, repeatable",
    )
    parser.add_argument(
        "--authentication",
        choices=("hybrid", "post-quantum", "any"),
        default="hybrid",
        help="what every key up to the root must be: composite, of which both halves verify; that "
        "or ML-DSA alone; or any (%(default)s)",
    )
    parser.add_argument(
        "--at",
        metavar="TIME",
        type=_time,
        help="when certificates must have been valid, such as 2026-11-21T12:00:00Z (default: "
        "now); know it from somewhere else: the time in a signature is what its signer says",
    )
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Examine, and print what was found."""
    from pqproxy.identity.errors import IdentityError
    from pqproxy.signing import Authentication, examine

    content, path = content_of(arguments.file), _signature_path(arguments)
    trust, signature = _trust(arguments), _signature(path)
    try:
        with failures_told(arguments.file):
            verdict = examine(
                content,
                signature,
                trust,
                arguments.expect,
                authentication=Authentication(arguments.authentication),
                at=arguments.at,
            )
    except IdentityError as error:
        raise CommandError(f"--expect: {error}", error.fix or None) from None
    if arguments.output == "json":
        print(json.dumps(_document(arguments.file, path, verdict), indent=2))
    else:
        from pqproxy.cli.marked_lines import print_lines

        print_lines(_lines(arguments.file, verdict))
    return 0 if verdict else VERDICT


def _signature_path(arguments: argparse.Namespace) -> Path:
    given: Path | None = arguments.signature
    if given is None and is_standard_input(arguments.file):
        raise CommandError("nothing says where the signature is", "give --signature FILE")
    return given or signature_beside(arguments.file)


def _signature(path: Path) -> bytes:
    """Read a signature, and no more than one byte too many."""
    from pqproxy.signing import SIZE_LIMIT

    try:
        with path.open("rb") as stream:
            return stream.read(SIZE_LIMIT + 1)
    except OSError as error:
        message = f"cannot read the signature {path}: {error.strerror}"
        raise CommandError(message, "--signature FILE says where it is", FAILURE) from None


def _trust(arguments: argparse.Namespace) -> "Trust":
    from pqproxy.cli.credentials import read_credentials
    from pqproxy.config.files import UnreadableFile, read_revocation_files
    from pqproxy.identity.errors import IdentityError
    from pqproxy.identity.trust import Trust

    files = read_credentials([], arguments.trust).trust
    if files is None:
        raise CommandError(f"--trust: {arguments.trust} holds no roots")
    try:
        lists = [each for path in arguments.crl for each in read_revocation_files(path)]
        return Trust.load(replace(files, crl=tuple(lists)))
    except UnreadableFile as error:
        raise CommandError(f"--crl: {error}") from None
    except IdentityError as error:
        raise CommandError(f"--trust: {error}", error.fix or None) from None


def _lines(file: Path, verdict: "Verdict") -> "Iterator[Line]":
    from pqproxy.probing.lines import Line, Mark

    for finding in verdict.findings:
        mark = Mark.GOOD if finding.good else Mark.BAD
        yield Line(mark, str(finding.check), finding.text)
        if finding.fix:
            yield Line(Mark.NONE, "", f"    hint: {finding.fix}")
    if verdict and verdict.statement and verdict.signer:
        claimed = f"{verdict.statement.time:%Y-%m-%d %H:%M:%S} UTC by its own account"
        yield Line(Mark.GOOD, "", f"{file}: signed by {verdict.signer.name}, {claimed}")
    else:
        yield Line(Mark.BAD, "", f"{file}: not verified")


def _document(file: Path, signature: Path, verdict: "Verdict") -> dict[str, Any]:
    """What was found, for programs. Keys are added, never renamed; texts may change."""
    statement, signer = verdict.statement, verdict.signer
    return {
        "file": str(file),
        "signature": str(signature),
        "good": verdict.good,
        "signer": signer and signer.name,
        "statement": statement
        and {
            "algorithm": statement.algorithm,
            "size": statement.size,
            "sha512": statement.content.hex(),
            "time": statement.time.isoformat(),
        },
        "findings": [
            {
                "check": finding.check,
                "subject": finding.subject,
                "good": finding.good,
                "text": finding.text,
                "hint": finding.fix,
            }
            for finding in verdict.findings
        ],
    }


def _time(text: str) -> datetime:
    from pqproxy.signing.clock import moment

    try:
        found = datetime.fromisoformat(text)
        return moment(found if found.tzinfo else found.replace(tzinfo=UTC))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is no time such as 2026-11-21 or 2026-11-21T12:00:00Z"
        ) from None
