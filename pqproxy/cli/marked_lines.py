"""Prints lines with their marks, in colour where that is wanted, on whatever terminal there is."""

import io
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pqproxy.cli.errors import wants_colour

if TYPE_CHECKING:
    from pqproxy.probing.lines import Line


def print_lines(lines: "Iterable[Line]") -> None:
    """Print to standard output; a sign that it cannot show becomes a question mark."""
    from pqproxy.probing.lines import render

    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    print(render(lines, colour=wants_colour(sys.stdout)), flush=True)
