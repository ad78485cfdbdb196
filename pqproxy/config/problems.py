"""What is wrong with a configuration, and where: every problem at once, each one line.

`proxy.yaml:12:7: ingress.0.listen: what is wrong, did you mean …` is what editors and CI
systems know how to jump to.
"""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the file, both counted from one as editors do."""

    line: int
    column: int


START = Position(1, 1)


class _Broken:
    """The type of `BROKEN`."""

    def __repr__(self) -> str:
        return "BROKEN"

    def __deepcopy__(self, memo: object) -> "_Broken":
        return self  # known by identity


# Stands in data and models where a value was found wrong and reported. What is checked later,
# such as references between sections, leaves it alone: one mistake makes one line.
BROKEN: Final[Any] = _Broken()


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to repair. `path` says which value, `position` where it was written."""

    position: Position
    path: Path
    message: str

    def __str__(self) -> str:
        where = f"{self.position.line}:{self.position.column}"
        if not self.path:
            return f"{where}: {self.message}"
        return f"{where}: {dotted(self.path)}: {self.message}"

    def line(self, source: str) -> str:
        """Write it down for whoever opens `source`, the file as the user named it."""
        return f"{source}:{self}"


@dataclass(frozen=True, slots=True)
class EnvironmentProblem(Problem):
    """A variable to repair: `path` is its name, and it stands before everything in the file."""

    def __str__(self) -> str:
        return f"environment: {dotted(self.path)}: {self.message}"

    def line(self, source: str) -> str:
        """It is no problem of the file."""
        return str(self)


@dataclass(frozen=True, slots=True)
class FileProblem(Problem):
    """A problem that another content of a file mends which the configuration names."""


class ConfigError(Exception):
    """A configuration that nothing may be started from."""

    def __init__(self, source: str, problems: Iterable[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda problem: problem.position))
        super().__init__("\n".join(self.lines()))

    @property
    def lacks_files_only(self) -> bool:
        """Whether other files would mend all of it."""
        return all(isinstance(problem, FileProblem) for problem in self.problems)

    def lines(self) -> list[str]:
        """One line a problem, in the order of the file."""
        return [problem.line(self.source) for problem in self.problems]


def dotted(path: Path) -> str:
    """Write a path as people read it: `ingress.0.listen`."""
    return ".".join(str(part) for part in path)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean …` for a word that is close to a known one, else nothing."""
    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=0.6)
    return f", did you mean {by_folded[close[0]]}" if close else ""


def listed(words: Iterable[str]) -> str:
    """Write alternatives as a sentence does: `a, b or c`."""
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last
