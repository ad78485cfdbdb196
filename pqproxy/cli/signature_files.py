"""What `sign` and `verify` share: where a signature lies, and how files are told of."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pqproxy.cli.errors import FAILURE, CommandError

if TYPE_CHECKING:
    from pqproxy.signing import Content

_SUFFIX = ".pqsig"
_STANDARD = Path("-")


def add_file_arguments(parser: argparse.ArgumentParser, signature: str) -> None:
    """Add FILE and `--signature`, whose help is given."""
    parser.add_argument("file", metavar="FILE", type=Path, help="or - for standard input")
    parser.add_argument("--signature", metavar="FILE", type=Path, help=signature)


def is_standard_input(file: Path) -> bool:
    """Whether FILE is `-`."""
    return file == _STANDARD


def signature_beside(file: Path) -> Path:
    """FILE.pqsig."""
    return file.with_name(file.name + _SUFFIX)


def content_of(file: Path) -> "Content":
    """What is signed: standard input or a file. Raises CommandError where it is neither."""
    if is_standard_input(file):
        return sys.stdin.buffer
    if file.is_dir():
        raise CommandError(
            f"{file} is a directory",
            "sign a list of its files instead: (cd DIR && sha512sum *) > MANIFEST",
        )
    return file


def print_whatever(line: str) -> None:
    """Print a line that holds the name of a file, which need not be text."""
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding))


@contextmanager
def failures_told(file: Path) -> Iterator[None]:
    """Turn what is wrong with the content into what a command reports."""
    from pqproxy.signing import ContentChanged

    try:
        yield
    except ContentChanged as error:
        raise CommandError(str(error), "try again when nobody writes to it", FAILURE) from None
    except OSError as error:
        name = "standard input" if is_standard_input(file) else file
        raise CommandError(f"cannot read {name}: {error.strerror}", None, FAILURE) from None
