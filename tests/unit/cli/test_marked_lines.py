import io
import sys

import pytest

from pqproxy.cli.marked_lines import print_lines
from pqproxy.probing.lines import Line, Mark

LINES = [Line(Mark.GOOD, "", "all is well")]


class Terminal(io.TextIOWrapper):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "printed"),
    [
        (io.TextIOWrapper, {}, "√ all is well\n"),
        (Terminal, {"TERM": "xterm"}, "\033[32m√\033[0m all is well\n"),
        (Terminal, {"TERM": "xterm", "NO_COLOR": "1"}, "√ all is well\n"),
        (Terminal, {"TERM": "dumb"}, "√ all is well\n"),
    ],
)
def test_colour_is_for_terminals_that_want_it(stream, environment, printed, monkeypatch):
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", stream(out, encoding="utf-8"))
    print_lines(LINES)

    assert out.getvalue().decode() == printed


def test_a_terminal_without_the_signs_gets_letters(monkeypatch):
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, encoding="ascii"))
    print_lines(LINES)

    assert out.getvalue() == b"+ all is well\n"
