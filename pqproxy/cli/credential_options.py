"""The options of `serve` and `connect` that say who we are and whom we believe."""

import argparse
from pathlib import Path


def add_credential_options(parser: argparse.ArgumentParser, trusted: str) -> None:
    """Add `--identity` and `--trust`; `trusted` says what the roots of the latter sign."""
    parser.add_argument(
        "--identity",
        metavar="FILE",
        type=Path,
        help="PEM with our key and certificate; roots in it are trusted where --trust is absent",
    )
    parser.add_argument("--trust", metavar="FILE", type=Path, help=f"roots that sign {trusted}")


def add_authentication_option(parser: argparse.ArgumentParser, peers: str) -> None:
    """Add `--authentication`; `peers` says of whom it is demanded."""
    parser.add_argument(
        "--authentication",
        metavar="hybrid|post-quantum|any",
        help=f"which signatures are demanded of {peers}, up to the root: ML-DSA and ECDSA in one,"
        " both of which must verify; that or ML-DSA alone; or any (default: any)",
    )
