"""A report for people, in a terminal of whatever kind, and for programs."""

from collections.abc import Iterator
from typing import Any

from pqproxy.checking.findings import Finding, Level, Report
from pqproxy.probing.lines import Mark, sign

_MARKS = {Level.GOOD: Mark.GOOD, Level.WARNING: Mark.DOUBTFUL, Level.FAILURE: Mark.BAD}
_BOLD, _PLAIN = "\033[1m", "\033[0m"
_VERDICTS = {
    Level.GOOD: "all is well",
    Level.WARNING: "it works, with warnings",
    Level.FAILURE: "something does not work",
}


def text(report: Report, *, colour: bool, encoding: str = "utf-8") -> str:
    """The report for people; what the encoding has no sign for is said in ASCII."""
    signs = {level: sign(mark, colour, encoding) for level, mark in _MARKS.items()}
    whole = "\n".join(_lines(report, signs, colour))
    return whole.encode(encoding, "backslashreplace").decode(encoding)


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


def _lines(report: Report, signs: dict[Level, str], colour: bool) -> Iterator[str]:
    for section in report.sections:
        yield f"{_BOLD}{section.name}{_PLAIN}" if colour else section.name
        for finding in section.findings:
            yield from _finding(finding, signs)
        yield ""
    yield f"{signs[report.verdict]} {report.source}: {_VERDICTS[report.verdict]}"


def _finding(finding: Finding, signs: dict[Level, str]) -> Iterator[str]:
    yield f"  {signs[finding.level]} {finding.message}"
    if finding.hint:
        yield f"      hint: {finding.hint}"
