"""A bounded table of what was seen: how often, since when, and what the newest one was like.

A worker keeps in it what it has not reported yet and gives that away with `take`; the supervisor
adds up what workers gave with `add`. So a report stays small however long the table is.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, TypeVar

MOST = 4096  # rows

Key = TypeVar("Key", bound=tuple[Any, ...])
Newest = TypeVar("Newest")


@dataclass(frozen=True, slots=True)
class Seen(Generic[Newest]):
    """One row. Times are unix seconds."""

    first: float
    last: float
    count: int
    newest: Newest

    def and_then(self, other: "Seen[Newest]") -> "Seen[Newest]":
        """Return both together."""
        later = other if other.last >= self.last else self
        return Seen(
            min(self.first, other.first),
            later.last,
            self.count + other.count,
            later.newest,
        )


class Sightings(Generic[Key, Newest]):
    """Rows by key. When it is full, the row that was not seen for longest goes.

    Attributes:
        rows: in the order in which they were seen last.
        forgotten: how many rows went.
    """

    __slots__ = ("_most", "forgotten", "rows")

    def __init__(self, most: int = MOST) -> None:
        self.rows: dict[Key, Seen[Newest]] = {}
        self.forgotten = 0
        self._most = most

    def note(self, key: Key, newest: Newest, now: float) -> None:
        """Write down one sighting."""
        self.add(key, Seen(now, now, 1, newest))

    def add(self, key: Key, seen: Seen[Newest]) -> None:
        """Write down what was seen elsewhere."""
        known = self.rows.pop(key, None)
        if known is not None:
            seen = known.and_then(seen)
        elif len(self.rows) >= self._most:
            del self.rows[next(iter(self.rows))]
            self.forgotten += 1
        self.rows[key] = seen

    def take(self, at_most: int) -> list[tuple[Key, Seen[Newest]]]:
        """Remove and return rows, the ones that wait for longest first."""
        keys = list(islice(self.rows, at_most))
        return [(key, self.rows.pop(key)) for key in keys]
