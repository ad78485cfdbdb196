"""Who talks under which protection, and since when.

One row for each peer and each combination of what was negotiated with it, so that a peer that was
upgraded has two: the old one, with the time when it was last seen, and the new one.
"""

from itertools import islice
from typing import Any, NamedTuple

from pqproxy.telemetry.callers import (
    Caller,
    read_optional,
    read_seen,
    shown_seen,
    write_seen,
)
from pqproxy.telemetry.reported import read_list, read_text
from pqproxy.telemetry.sightings import Seen, Sightings

LONGEST_NAME = 48  # of a group, a suite or a signature scheme

_FIELDS = 12


class Protection(NamedTuple):
    """What a handshake came to."""

    group: str
    post_quantum: bool  # the group is
    cipher_suite: str
    signature: str | None  # ours; None where we showed no certificate
    peer_signature: str | None
    resumed: bool


class Entry(NamedTuple):
    """Who, and how."""

    caller: Caller
    protection: Protection


class Ledger(Sightings[Entry, str]):
    """The table; the newest of a row is the address it came from."""

    __slots__ = ()

    def take_rows(self, at_most: int) -> list[list[Any]]:
        """Remove rows, for a report."""
        return [
            [*key.caller, *key.protection, *write_seen(seen), seen.newest]
            for key, seen in self.take(at_most)
        ]

    def add_row(self, row: object) -> None:
        """Add what a worker reported. Raises ValueError when that is malformed."""
        identity, source, *protection, first, last, count, newest = read_list(row, _FIELDS)
        key = Entry(Caller.read(identity, source), _read_protection(*protection))
        self.add(key, Seen(*read_seen(first, last, count), read_optional(newest) or ""))

    def shown(self, at_most: int | None = None) -> list[dict[str, Any]]:
        """The newest first, as JSON can carry them."""
        return [
            {
                "identity": key.caller.identity,
                "source": seen.newest,
                **key.protection._asdict(),
                **shown_seen(seen),
            }
            for key, seen in islice(reversed(self.rows.items()), at_most)
        ]


def _read_protection(*values: object) -> Protection:
    group, post_quantum, cipher_suite, signature, peer_signature, resumed = values
    return Protection(
        read_text(group, LONGEST_NAME),
        _read_flag(post_quantum),
        read_text(cipher_suite, LONGEST_NAME),
        _read_name(signature),
        _read_name(peer_signature),
        _read_flag(resumed),
    )


def _read_name(value: object) -> str | None:
    return None if value is None else read_text(value, LONGEST_NAME)


def _read_flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("a flag is true or false")
    return value
