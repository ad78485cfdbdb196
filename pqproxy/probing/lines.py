"""Short aligned lines for people: a mark, a name, what there is to say."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

_PLAIN = "\033[0m"


class Mark(Enum):
    """How good a line is: the sign, a letter where the sign cannot be shown, and its colour."""

    GOOD = ("√", "+", "\033[32m")
    DOUBTFUL = ("‼", "!", "\033[33m")
    BAD = ("×", "x", "\033[31m")  # noqa: RUF001 - the sign is meant
    NONE = (" ", " ", "")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that is said; without a name it stands alone."""

    mark: Mark
    name: str
    text: str


def render(lines: Iterable[Line], *, colour: bool, encoding: str = "utf-8") -> str:
    """Align them; what the encoding has no sign for is said in ASCII."""
    listed = list(lines)
    width = max((len(line.name) for line in listed), default=0)
    text = "\n".join(_row(line, width, sign(line.mark, colour, encoding)) for line in listed)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def sign(mark: Mark, colour: bool, encoding: str) -> str:
    """The sign of a mark, or its letter, in its colour."""
    shown, letter, code = mark.value
    try:
        "".join(each.value[0] for each in Mark).encode(encoding)
    except UnicodeEncodeError:  # all or none of them
        shown = letter
    return f"{code}{shown}{_PLAIN}" if colour and code else str(shown)


def _row(line: Line, width: int, sign: str) -> str:
    if not line.name:
        return f"{sign} {line.text}"
    return f"  {sign} {line.name:<{width}}  {line.text}"
