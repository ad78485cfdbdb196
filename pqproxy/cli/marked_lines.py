"""Prints lines with their marks, in colour where that is wanted, on whatever terminal there is."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pqproxy.cli.errors import wants_colour

if TYPE_CHECKING:
    from pqproxy.probing.lines import Line


def print_lines(lines: "Iterable[Line]") -> None:
    """Print to standard output, in what it can show."""
    from pqproxy.probing.lines import render

    out = sys.stdout
    text = render(lines, colour=wants_colour(out), encoding=out.encoding or "utf-8")
    print(text, flush=True)
