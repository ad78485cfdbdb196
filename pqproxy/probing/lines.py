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
    has_signs = _has_signs(encoding)
    text = "\n".join(_row(line, width, _sign(line.mark, has_signs, colour)) for line in listed)
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _has_signs(encoding: str) -> bool:
    try:
        "".join(mark.value[0] for mark in Mark).encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _sign(mark: Mark, has_signs: bool, colour: bool) -> str:
    sign, letter, code = mark.value
    shown = sign if has_signs else letter
    return f"{code}{shown}{_PLAIN}" if colour and code else str(shown)


def _row(line: Line, width: int, sign: str) -> str:
    if not line.name:
        return f"{sign} {line.text}"
    return f"  {sign} {line.name:<{width}}  {line.text}"
