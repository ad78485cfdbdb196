"""`pqproxy certs bundle`: several roots in one file, while one authority gives way to another."""

import argparse
import json
from pathlib import Path
from typing import Any

from cryptography import x509

from pqproxy.cli.certs.options import add_output, add_verb
from pqproxy.identity.authority import roots
from pqproxy.identity.bundles import BundleChange, change_bundle, fingerprint
from pqproxy.identity.names import subject_of


def add_verbs(verbs: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        verbs,
        bundle,
        "put roots into one file, or take them out",
        "Keep a file of roots for trust. Without options the roots of --dir are put into it. To "
        "roll over: --add the new root, let every peer reload, issue from the new authority, then "
        "--retire the old root.",
    )
    parser.add_argument("file", metavar="FILE", type=Path, help="made where there is none")
    parser.add_argument(
        "--add", metavar="FILE", type=Path, action="append", default=[], help="roots, repeatable"
    )
    parser.add_argument(
        "--retire",
        metavar="FILE|SHA256",
        action="append",
        default=[],
        help="a root, by a file or by the beginning of its SHA-256, repeatable",
    )
    add_output(parser)


def bundle(arguments: argparse.Namespace) -> int:
    """Change a bundle and say what it holds."""
    changed = bool(arguments.add or arguments.retire)
    add = arguments.add if changed else roots(arguments.dir)
    change = change_bundle(arguments.file, add, arguments.retire)
    if arguments.output == "json":
        print(json.dumps(_as_data(arguments.file, change), indent=2))
        return 0
    print(f"bundle  {arguments.file}")
    for mark, listed in (("+", change.added), ("-", change.retired)):
        for root in listed:
            print(f"  {mark} {_described(root)}")
    for root in change.roots:
        if root not in change.added:
            print(f"    {_described(root)}")
    return 0


def _as_data(path: Path, change: BundleChange) -> dict[str, Any]:
    def described(listed: tuple[x509.Certificate, ...]) -> list[dict[str, str]]:
        return [
            {
                "subject": subject_of(root),
                "not_after": root.not_valid_after_utc.isoformat(),
                "sha256": fingerprint(root),
            }
            for root in listed
        ]

    return {
        "file": str(path),
        "roots": described(change.roots),
        "added": described(change.added),
        "retired": described(change.retired),
    }


def _described(root: x509.Certificate) -> str:
    ends = f"{root.not_valid_after_utc:%Y-%m-%d}"
    return f"{subject_of(root)}, to {ends}, sha256 {fingerprint(root)[:16]}"
