"""Reading what a worker reports: it faces the network, so every value is judged again."""

import math
from typing import Any

LARGEST = 2**63  # no honest counter gets there; a number of ten thousand JSON digits does
_LAST_MOMENT = 253_402_300_800.0  # the year 10 000


def read_count(value: object) -> int:
    """A number of events. Raises ValueError."""
    if type(value) is not int or not 0 <= value < LARGEST:
        raise ValueError("count is not a number of events")
    return value


def read_seconds(value: object) -> float:
    """A duration or a point in time. Raises ValueError."""
    if not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError("duration is not a number of seconds")
    return float(value)


def read_moment(value: object) -> float:
    """Unix seconds, within what a calendar knows. Raises ValueError."""
    if (seconds := read_seconds(value)) >= _LAST_MOMENT:
        raise ValueError("moment is beyond every calendar")
    return seconds


def read_text(value: object, longest: int) -> str:
    """Printable ASCII: what a worker writes went through `log.printable`. Raises ValueError."""
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError("text is none, or too long")
    if not (value.isascii() and value.isprintable()):
        raise ValueError("text was not escaped")
    return value


def read_list(value: object, length: int) -> list[Any]:
    """A list of so many values. Raises ValueError."""
    if not isinstance(value, list) or len(value) != length:
        raise ValueError(f"a row wants {length} values")
    return value
