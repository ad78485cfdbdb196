"""Whom `policy: require` would refuse: what `policy: observe` writes down.

One row for each caller, decision and reason. `would_refuse`: it is served today; these rows add up
to `pqproxy_policy_decisions_total`, as far as none was forgotten. `refused`: it is not served today
either; its reason is the one that `require` would give, which may be another than today's.
"""

import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from pqproxy.telemetry.callers import (
    Caller,
    read_optional,
    read_seen,
    shown_seen,
    write_seen,
)
from pqproxy.telemetry.labels import Decision
from pqproxy.telemetry.log import printable
from pqproxy.telemetry.reasons import ReasonCode
from pqproxy.telemetry.reported import read_list, read_text
from pqproxy.telemetry.sightings import Seen, Sightings

MOST_GROUPS = 16
MOST_SCHEMES = 32
LONGEST_NAME = 48  # of a group or a signature scheme
MORE = "and more"

_FIELDS = 11


class Objection(NamedTuple):
    """Who would be refused, and why."""

    caller: Caller
    decision: Decision
    reason: ReasonCode


class Offered(NamedTuple):
    """What the newest of these callers came with."""

    source: str
    groups: tuple[str, ...] = ()
    signature_schemes: tuple[str, ...] = ()
    detail: str | None = None  # what happened, for the operator

    @classmethod
    def of(
        cls,
        source: str,
        groups: Iterable[str] = (),
        signature_schemes: Iterable[str] = (),
        detail: str | None = None,
    ) -> "Offered":
        """Bound and escape what a peer chose."""
        return cls(
            printable(source),
            _cut(groups, MOST_GROUPS),
            _cut(signature_schemes, MOST_SCHEMES),
            None if detail is None else printable(detail),
        )


class Observed(Sightings[Objection, Offered]):
    """The table."""

    __slots__ = ()

    def take_rows(self, at_most: int) -> list[list[Any]]:
        """Remove rows, for a report."""
        return [
            [*key.caller, key.decision, key.reason, *write_seen(seen), *seen.newest]
            for key, seen in self.take(at_most)
        ]

    def add_row(self, row: object) -> None:
        """Add what a worker reported. Raises ValueError when that is malformed."""
        (
            *who, decision, reason, first, last, count, source, groups, schemes, detail,
        ) = read_list(row, _FIELDS)  # fmt: skip
        key = Objection(Caller.read(*who), Decision(decision), ReasonCode(reason))
        newest = Offered(
            read_optional(source) or "",
            _read_names(groups, MOST_GROUPS),
            _read_names(schemes, MOST_SCHEMES),
            read_optional(detail),
        )
        self.add(key, Seen(*read_seen(first, last, count), newest))

    def shown(self, at_most: int | None = None) -> list[dict[str, Any]]:
        """The newest first, as JSON can carry them."""
        return [
            {
                "identity": key.caller.identity,
                "source": seen.newest.source,
                "decision": key.decision,
                "reason": key.reason,
                "detail": seen.newest.detail,
                "offered_groups": list(seen.newest.groups),
                "offered_signature_schemes": list(seen.newest.signature_schemes),
                **shown_seen(seen),
            }
            for key, seen in islice(reversed(self.rows.items()), at_most)
        ]


def _cut(names: Iterable[str], most: int) -> tuple[str, ...]:
    """Interned, as thousands of rows hold the same few names."""
    first = list(islice(names, most + 1))
    if len(first) > most:
        first[most - 1 :] = [MORE]
    return tuple(sys.intern(printable(name, LONGEST_NAME)) for name in first)


def _read_names(value: object, most: int) -> tuple[str, ...]:
    if not isinstance(value, list) or len(value) > most:
        raise ValueError("names are no list, or too many")
    return tuple(sys.intern(read_text(name, LONGEST_NAME + 3)) for name in value)
