"""How an egress finds its endpoints: which have tunnels, which take none, which are ejected.

For `pqproxy status` alone: addresses are no labels of metrics. A worker replaces the rows before
each report; the supervisor adds those of all workers up, and judges every row again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pqproxy.telemetry.log import LONGEST_VALUE, printable
from pqproxy.telemetry.reported import read_count, read_list, read_text

MOST_ENDPOINTS = 256  # of one listener; the rest are not told
_LONGEST = LONGEST_VALUE + len("...")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address that an egress connects to."""

    tunnels: int = 0  # that are up
    plain: bool = False  # it speaks TLS and no tunnels: a connection each
    why: str = ""  # what failed, where it is ejected and tried again later

    def plus(self, other: "Endpoint") -> "Endpoint":
        """The same, as another worker finds it."""
        tunnels, plain = self.tunnels + other.tunnels, self.plain or other.plain
        return Endpoint(tunnels, plain, self.why or other.why)


class Endpoints:
    """Those of one listener, by address."""

    def __init__(self) -> None:
        self.rows: dict[str, Endpoint] = {}

    def replace(self, found: Mapping[str, Endpoint]) -> None:
        """Forget the others."""
        self.rows = {}
        for address, endpoint in found.items():
            self._add(printable(address), endpoint)

    def _add(self, address: str, endpoint: Endpoint) -> None:
        if address in self.rows:
            self.rows[address] = self.rows[address].plus(endpoint)
        elif len(self.rows) < MOST_ENDPOINTS:
            self.rows[address] = endpoint

    def snapshot(self) -> list[list[Any]]:
        """JSON-able rows."""
        return [
            [address, one.tunnels, one.plain, printable(one.why)]
            for address, one in self.rows.items()
        ]

    def merge(self, rows: object) -> None:
        """Add what a worker reported. Raises ValueError when that is malformed."""
        if not isinstance(rows, list):
            raise ValueError("endpoints without rows")
        for row in rows[:MOST_ENDPOINTS]:
            address, tunnels, plain, why = read_list(row, 4)
            if type(plain) is not bool:
                raise ValueError("an endpoint is plain or is not")
            endpoint = Endpoint(read_count(tunnels), plain, read_text(why, _LONGEST))
            self._add(read_text(address, _LONGEST), endpoint)

    def document(self) -> list[dict[str, Any]]:
        """What `/status` tells."""
        return [
            {"address": address, "tunnels": one.tunnels, "plain": one.plain, "why": one.why or None}
            for address, one in sorted(self.rows.items())
        ]
