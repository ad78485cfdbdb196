"""docs/troubleshooting.md is written by hand; what it must have is held here."""

import dataclasses
import re
from pathlib import Path

import pytest

from pqproxy.telemetry.log import ConnectionLine, RefusalLine
from pqproxy.telemetry.reasons import EndReason, ReasonCode

TEXT = (Path(__file__).parents[3] / "docs/troubleshooting.md").read_text()
LINES = re.findall(r"^    ((?:refused|connection) .*)$", TEXT, re.MULTILINE)
FIELDS = {
    line.event: {field.name for field in dataclasses.fields(line)}
    for line in (ConnectionLine, RefusalLine)
}
# No line has these yet.
TO_COME = {ReasonCode.REVOKED, ReasonCode.DRAINING}


def chapters():
    parts = re.split(r"^### (.*)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("word", sorted({*ReasonCode, *EndReason}))
def test_every_word_has_its_chapter(word):
    """The log line is what somebody searches for."""
    assert word in chapters()


def test_no_chapter_is_about_a_word_that_is_not_there():
    assert set(chapters()) <= {*ReasonCode, *EndReason}


@pytest.mark.parametrize("code", sorted(set(ReasonCode) - TO_COME))
def test_every_reason_has_a_line_from_a_log(code):
    lines = [line for line in LINES if f"reason={code} " in line]

    assert lines
    assert all(line in chapters()[code] for line in lines if line.startswith("refused"))


@pytest.mark.parametrize("line", LINES)
def test_a_line_has_the_fields_that_we_log(line):
    bare = re.sub(r'"[^"]*"', "", line)
    event, names = bare.split()[0], re.findall(r"(\w+)=", bare)

    assert set(names) <= FIELDS[event]
    assert {"listener", "peer"} <= set(names)
