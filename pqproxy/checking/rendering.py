"""A report for people, in a terminal of whatever kind, and for programs."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pqproxy.checking.findings import Finding, Level, Report

_MARKS = {Level.GOOD: "√", Level.WARNING: "‼", Level.FAILURE: "×"}  # noqa: RUF001 - a cross, not an x
_ASCII = {Level.GOOD: "+", Level.WARNING: "!", Level.FAILURE: "x"}
_COLOURS = {Level.GOOD: "\033[32m", Level.WARNING: "\033[33m", Level.FAILURE: "\033[31m"}
_BOLD, _PLAIN = "\033[1m", "\033[0m"
_VERDICTS = {
    Level.GOOD: "all is well",
    Level.WARNING: "it works, with warnings",
    Level.FAILURE: "something does not work",
}


@dataclass(frozen=True, slots=True)
class Terminal:
    """What the output can show."""

    encoding: str
    colour: bool = False

    def marks(self) -> dict[Level, str]:
        """Signs where the encoding has them, else letters."""
        try:
            "".join(_MARKS.values()).encode(self.encoding)
        except (UnicodeEncodeError, LookupError):
            return _ASCII
        return _MARKS

    def paint(self, code: str, text: str) -> str:
        """Colour text, where colours are wanted."""
        return f"{code}{text}{_PLAIN}" if self.colour else text

    def fit(self, text: str) -> str:
        """Replace what the encoding cannot say: a certificate's names may be in any script."""
        try:
            return text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        except LookupError:
            return text.encode("ascii", "backslashreplace").decode("ascii")


def lines(report: Report, terminal: Terminal) -> Iterator[str]:
    """The report for people."""
    for section in report.sections:
        yield terminal.paint(_BOLD, section.name)
        for finding in section.findings:
            yield from _finding(finding, terminal)
        yield ""
    verdict = report.verdict
    mark = terminal.paint(_COLOURS[verdict], terminal.marks()[verdict])
    yield f"{mark} {terminal.fit(report.source)}: {_VERDICTS[verdict]}"


def document(report: Report) -> dict[str, Any]:
    """The report for programs. Keys are added, never renamed; messages may change."""
    return {
        "config": report.source,
        "verdict": report.verdict,
        "sections": [
            {
                "name": section.name,
                "checks": [
                    {
                        "name": finding.name,
                        "status": finding.level,
                        "message": finding.message,
                        "hint": finding.hint,
                    }
                    for finding in section.findings
                ],
            }
            for section in report.sections
        ],
    }


def _finding(finding: Finding, terminal: Terminal) -> Iterator[str]:
    mark = terminal.paint(_COLOURS[finding.level], terminal.marks()[finding.level])
    yield f"  {mark} {terminal.fit(finding.message)}"
    if finding.hint:
        yield f"      hint: {terminal.fit(finding.hint)}"
