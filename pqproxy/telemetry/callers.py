"""How a table of evidence names a peer, and how its rows travel and are shown.

A peer is known by its identity. One that showed none is known by its address: an IPv4 address, an
IPv6 /64, the upstream's address at an egress, `unix` for all of a unix socket. What a peer chose is
bounded and escaped when it is written down.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from pqproxy.telemetry.log import LONGEST_VALUE, printable
from pqproxy.telemetry.reported import read_count, read_moment, read_text
from pqproxy.telemetry.sightings import Seen

_DOTS = 3  # of `printable`, where it cuts


class Caller(NamedTuple):
    """Who it was. The address stands in only for who showed no identity."""

    identity: str | None
    source: str | None

    @classmethod
    def of(cls, identity: str | None, source: str) -> "Caller":
        """Name a peer by what is known of it."""
        if identity is None:
            return cls(None, printable(source))
        return cls(printable(identity), None)

    @classmethod
    def read(cls, identity: object, source: object) -> "Caller":
        """Read what a worker wrote. Raises ValueError."""
        if (identity is None) == (source is None):
            raise ValueError("a caller has an identity or a source")
        return cls(read_optional(identity), read_optional(source))


def read_optional(value: object) -> str | None:
    """A value that `printable` bounded, or None. Raises ValueError."""
    return None if value is None else read_text(value, LONGEST_VALUE + _DOTS)


def write_seen(seen: Seen[Any]) -> list[float | int]:
    """First, last and count, for a report."""
    return [seen.first, seen.last, seen.count]


def read_seen(first: object, last: object, count: object) -> tuple[float, float, int]:
    """Read them again. Raises ValueError."""
    return read_moment(first), read_moment(last), read_count(count)


def shown_seen(seen: Seen[Any]) -> dict[str, Any]:
    """The same for people and their programs."""
    return {
        "first_seen": _timestamp(seen.first),
        "last_seen": _timestamp(seen.last),
        "count": seen.count,
    }


def _timestamp(moment: float) -> str:
    shown = datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds")
    return shown.replace("+00:00", "Z")
