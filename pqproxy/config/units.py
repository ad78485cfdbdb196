"""Durations and sizes as people write them: always with a unit, `never` and `none` for no end.

A bare number is refused rather than guessed at: `timeout: 10` is ten seconds in one tool and ten
milliseconds in the next.
"""

import re

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_DECIMAL = {"K": "KiB", "KB": "KiB", "M": "MiB", "MB": "MiB", "G": "GiB", "GB": "GiB"}
_OFF = ("off", "no", "false", False)  # what people try; to YAML 1.2 the first two are text
_QUANTITY = re.compile(r"(?P<number>[0-9]+(\.[0-9]+)?)(?P<unit>[A-Za-z]*)", re.ASCII)


def parse_duration(value: object) -> float | None:
    """Read `10s`, `250ms`, `5m`, `1h`, `2d` as seconds, `never` as None. Raises ValueError."""
    if value == "never":
        return None
    match = _QUANTITY.fullmatch(str(value)) if _is_quantity(value) else None
    if match is None:
        meant = ", did you mean never" if value in (*_OFF, "none") else ""
        raise ValueError(f"{shown(value)} is not a duration such as 10s, 250ms, 1h or never{meant}")
    number, unit = match["number"], match["unit"]
    if not unit:
        raise ValueError(f"{number} needs a unit, did you mean {number}s")
    if unit not in _SECONDS:
        raise ValueError(f"{unit} is not a unit of time: use ms, s, m, h or d")
    return float(number) * _SECONDS[unit]


def parse_size(value: object) -> int | None:
    """Read `256`, `256B`, `128KiB`, `1MiB` as bytes, `none` as None. Raises ValueError."""
    if value == "none":
        return None
    match = _QUANTITY.fullmatch(str(value)) if _is_quantity(value) else None
    if match is None or "." in match["number"]:
        meant = ", did you mean none" if value in (*_OFF, "never") else ""
        raise ValueError(f"{shown(value)} is not a size such as 256B, 128KiB or none{meant}")
    number, unit = match["number"], match["unit"] or "B"
    if unit not in _BYTES:
        meant = f", did you mean {number}{_DECIMAL[unit]}" if unit in _DECIMAL else ""
        raise ValueError(f"{unit} is not a unit of size: use B, KiB, MiB or GiB{meant}")
    return int(number) * _BYTES[unit]


def shown(value: object) -> str:
    """Write a value as it would stand in the file, cut to a length that fits a line."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_quantity(value: object) -> bool:
    return isinstance(value, str | int | float) and not isinstance(value, bool)
