"""Scenario 4: bulk transfers, their CPU and what they put on the wire."""

from collections.abc import Callable

from bench.figures import Metric, Sample
from bench.gate import Load
from bench.pair import Pair
from bench.results import Bar
from bench.scenario import Effort, Row, Scenario, counted

GIGABYTE = 1_000_000_000


def transfer(direction: str, streams: int) -> Callable[[Pair, Effort], Sample]:
    """`streams` transfers at a time, which share the amount."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        amount = int(effort.gigabytes * GIGABYTE) // streams
        return counted(pair, Load("bench.bulk", [direction, pair.entry, streams, amount]))

    return measure


def _row(direction: str, streams: int) -> Row:
    title = {"down": "download", "up": "upload"}[direction]
    return Row(
        f"{title}-{streams}",
        f"{title}, {streams} at a time",
        "GB",
        transfer(direction, streams),
        (Bar(Metric.CPU, 0.9),),
    )


BULK = Scenario(
    4,
    "bulk",
    "Bulk transfers",
    tuple(_row(direction, streams) for direction in ("down", "up") for streams in (1, 8)),
)
