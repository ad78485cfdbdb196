"""The options of `serve` and `connect` that say who we are and whom we believe."""

import argparse
import os
from pathlib import Path

from pqproxy.cli.errors import CommandError
from pqproxy.cli.passphrase import add_passphrase_option, read_passphrase


def add_credential_options(parser: argparse.ArgumentParser, trusted: str) -> None:
    """Add `--identity`, its passphrase, and `--trust`; `trusted` says what those roots sign."""
    parser.add_argument(
        "--identity",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="PEM with our key and certificate, or several of both, or a directory with tls.crt "
        "and tls.key; roots in it are trusted where --trust is absent; repeatable",
    )
    add_passphrase_option(parser, "the key of --identity")
    parser.add_argument("--trust", metavar="FILE", type=Path, help=f"roots that sign {trusted}")


def add_authentication_option(parser: argparse.ArgumentParser, peers: str) -> None:
    """Add `--authentication`; `peers` says of whom it is demanded."""
    parser.add_argument(
        "--authentication",
        metavar="hybrid|post-quantum|any",
        help=f"which signatures are demanded of {peers}, up to the root: ML-DSA and ECDSA in one,"
        " both of which must verify; that or ML-DSA alone; or any (default: any)",
    )


def given_passphrase(arguments: argparse.Namespace) -> bytes | None:
    """Return the passphrase of `--identity`. Raises CommandError."""
    if not arguments.identity:
        if arguments.passphrase_file is not None:
            raise CommandError("--passphrase-file opens the key of --identity, which is not given")
        return None
    return read_passphrase(arguments.passphrase_file, os.environ)
