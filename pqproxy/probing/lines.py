"""Short aligned lines for people: a mark, a name, what there is to say."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_PLAIN = "\033[0m"


class Mark(Enum):
    """How good a line is: the sign, and its colour where colours are wanted."""

    GOOD = ("√", "\033[32m")
    DOUBTFUL = ("‼", "\033[33m")
    BAD = ("×", "\033[31m")  # noqa: RUF001 - the sign is meant
    NONE = (" ", "")

    @property
    def sign(self) -> str:
        """The sign alone."""
        return str(self.value[0])

    def painted(self) -> str:
        """The sign in its colour."""
        sign, colour = self.value
        return f"{colour}{sign}{_PLAIN}" if colour else sign


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is said; without a name it stands alone."""

    mark: Mark
    name: str
    text: str


def render(lines: Iterable[Line], *, colour: bool) -> str:
    """Align them."""
    listed = list(lines)
    width = max((len(line.name) for line in listed), default=0)
    return "\n".join(_row(line, width, colour) for line in listed)


def _row(line: Line, width: int, colour: bool) -> str:
    sign = line.mark.painted() if colour else line.mark.sign
    if not line.name:
        return f"{sign} {line.text}"
    return f"  {sign} {line.name:<{width}}  {line.text}"
