"""What a check finds: one line a thing, and for all that is not good what to do about it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How a thing is. The words are those of the JSON output."""

    GOOD = "good"
    WARNING = "warning"  # it works, and somebody should know
    FAILURE = "failure"  # it does not work


_ORDER = tuple(Level)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing. `name` says for programs what was looked at, and is kept."""

    level: Level
    name: str
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """One part of the world."""

    name: str
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one check found."""

    source: str  # the configuration, as the user named it
    sections: tuple[Section, ...]

    @property
    def verdict(self) -> Level:
        """The worst of it."""
        return worst(finding for section in self.sections for finding in section.findings)

    def failures(self) -> tuple[str, ...]:
        """Say what does not work, each thing once."""
        messages = (
            finding.message
            for section in self.sections
            for finding in section.findings
            if finding.level is Level.FAILURE
        )
        return tuple(dict.fromkeys(messages))


def worst(findings: Iterable[Finding]) -> Level:
    """The worst level; nothing is good."""
    return max((finding.level for finding in findings), key=_ORDER.index, default=Level.GOOD)


def good(name: str, message: str) -> Finding:
    """It is as it should be."""
    return Finding(Level.GOOD, name, message)


def warning(name: str, message: str, hint: str) -> Finding:
    """It works, and somebody should know."""
    return Finding(Level.WARNING, name, message, hint)


def failure(name: str, message: str, hint: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAILURE, name, message, hint)
