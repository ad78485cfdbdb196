"""The numbers that composite signatures have in TLS: of private use, since IANA assigned none.

`code_points` in the file gives them others, where both ends of a mesh have to agree with somebody
else's choice. The numbers here are those of the engine, which this layer does not know.
"""

import re
from collections.abc import Iterator, Mapping

from pqproxy.config.problems import did_you_mean, listed
from pqproxy.config.units import shown

# Kind of key -> its SignatureScheme where nothing else is said.
USUAL = {
    "mldsa65-ecdsa-p256": 0xFE45,
    "mldsa87-ecdsa-p384": 0xFE49,
    "mldsa65-ed25519": 0xFE48,
    "mldsa44-ecdsa-p256": 0xFE40,
}
FIRST, LAST = 0xFE00, 0xFFFF  # of private use (RFC 9846 §4.3.3); no GREASE value lies there

_HEXADECIMAL = re.compile("0[xX][0-9a-fA-F]{1,8}")  # YAML 1.2 leaves that text to us


def parse_code_point(value: object) -> int:
    """A number of private use, as `0xFE45` or `65093`. Raises ValueError."""
    is_hexadecimal = isinstance(value, str) and _HEXADECIMAL.fullmatch(value)
    number = int(str(value), 16) if is_hexadecimal else value
    if not isinstance(number, int) or isinstance(number, bool):
        raise ValueError(f"{shown(value)} is not a code point such as 0xFE45")
    if not FIRST <= number <= LAST:
        raise ValueError(
            f"{shown(value)} is not of the range for private use, 0x{FIRST:04X} to 0x{LAST:04X}:"
            " the others are IANA's to assign"
        )
    return number


def wrong_code_points(code_points: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Yield kinds that there are not, and numbers that would stand for two kinds at once."""
    taken: dict[int, str] = {}
    for kind in code_points:
        if kind not in USUAL:
            meant = did_you_mean(kind, USUAL) or f": use {listed(USUAL)}"
            yield kind, f"{kind} is no composite kind of key{meant}"
    for kind, usual in USUAL.items():
        if kind not in code_points:
            taken[usual] = kind
    for kind in code_points:
        if kind not in USUAL:
            continue
        number = code_points[kind]
        other = taken.setdefault(number, kind)
        if other != kind:
            yield kind, f"0x{number:04X} stands for {other} already: give each a number of its own"
