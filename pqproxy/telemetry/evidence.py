"""What is remembered of each listener's peers: the ledger, and whom `require` would refuse.

Workers write down and report increments of bounded size; the supervisor adds them up, so that what
a worker saw outlives it. Unlike counters these are no part of `WorkerCounters.snapshot`.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pqproxy.telemetry.ledger import Ledger
from pqproxy.telemetry.observed import Observed
from pqproxy.telemetry.reported import read_count, read_list

# A row is at most 5 KB in JSON, a report of a worker at most 2 MB (`proxy/channel.py`).
ROWS_A_REPORT = 256
SHOWN_IN_STATUS = 50


class Evidence:
    """Of one listener."""

    def __init__(self) -> None:
        self.observed = Observed()
        self.ledger = Ledger()

    def __len__(self) -> int:
        return len(self.observed.rows) + len(self.ledger.rows)

    def take(self, at_most: int) -> dict[str, Any]:
        """Remove rows, and what was forgotten, for a report."""
        # Half is for the ledger, if it needs that: strangers may fill the other table.
        observed = self.observed.take_rows(at_most - min(len(self.ledger.rows), at_most // 2))
        ledger = self.ledger.take_rows(at_most - len(observed))
        report = {
            "observed": observed,
            "ledger": ledger,
            "forgotten": [self.observed.forgotten, self.ledger.forgotten],
        }
        self.observed.forgotten = self.ledger.forgotten = 0
        return report

    def add(self, report: object) -> None:
        """Add what a worker reported. Raises ValueError when that is malformed."""
        if not isinstance(report, dict):
            raise ValueError("evidence without the expected names")
        for row in _rows(report.get("observed")):
            self.observed.add_row(row)
        for row in _rows(report.get("ledger")):
            self.ledger.add_row(row)
        observed, ledger = read_list(report.get("forgotten"), 2)
        self.observed.forgotten += read_count(observed)
        self.ledger.forgotten += read_count(ledger)

    def table(self, name: Literal["observed", "ledger"]) -> dict[str, Any]:
        """All of one table, the newest first, as JSON can carry it."""
        table = self.observed if name == "observed" else self.ledger
        let_in = len({entry.caller for entry in self.ledger.rows})
        return {"callers_let_in": let_in, "forgotten": table.forgotten, "rows": table.shown()}

    def summary(self) -> dict[str, Any]:
        """How much there is, and the newest."""
        return {"observed": _excerpt(self.observed), "ledger": _excerpt(self.ledger)}


def take_evidence(listeners: Mapping[str, Evidence]) -> dict[str, Any]:
    """Remove as many rows as a report may hold, the oldest of each listener first.

    Every listener with something to report gets an equal share of it, so that one that is flooded
    keeps no other from being heard.
    """
    waiting = [name for name, evidence in listeners.items() if len(evidence)]
    waiting = sorted(waiting, key=lambda name: -len(listeners[name]))[:ROWS_A_REPORT]
    share = ROWS_A_REPORT // max(1, len(waiting))
    return {name: listeners[name].take(share) for name in waiting}


def add_evidence(listeners: dict[str, Evidence], report: object, known: Collection[str]) -> None:
    """Add a worker's report about the `known` listeners, and let go of what is known of others.

    Raises ValueError when it is malformed.
    """
    if not isinstance(report, dict):
        raise ValueError("evidence without the expected names")
    for name, of_listener in report.items():
        if name in known:
            listeners.setdefault(name, Evidence()).add(of_listener)
    for name in listeners.keys() - set(known):
        del listeners[name]


def _excerpt(table: Observed | Ledger) -> dict[str, Any]:
    return {
        "rows": len(table.rows),
        "forgotten": table.forgotten,
        "newest": table.shown(SHOWN_IN_STATUS),
    }


def _rows(value: object) -> list[object]:
    if not isinstance(value, list):
        raise ValueError("evidence without rows")
    return value
