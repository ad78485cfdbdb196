"""Scenario 4: bulk transfers, their CPU and what they put on the wire."""

from collections.abc import Callable

from bench import wire
from bench.figures import Metric, Sample
from bench.gate import Load
from bench.pair import Pair
from bench.results import Bar
from bench.scenario import USUAL, WITHOUT_TUNNELS, Effort, Row, Scenario, counted

MEGABYTE, GIGABYTE = 1_000_000, 1_000_000_000
GRADIENT, CHECKPOINT = 25 * MEGABYTE, GIGABYTE
TITLES = {"down": "download", "up": "upload"}


ABOUT = """\
Raw bytes in one direction; several transfers share the amount. The client and the server behind
the pair have a core of their own. **Wire overhead** is what TCP carried between the two sides
beyond the payload, in both directions, from before the client connects until it has everything:
without a tunnel there is a handshake in it, while a tunnel's was over long before.
"""


def transfer(direction: str, streams: int) -> Callable[[Pair, Effort], Sample]:
    """`streams` transfers at a time, which share the amount."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        amount = int(effort.gigabytes * GIGABYTE) // streams
        return counted(pair, Load("bench.bulk", [direction, pair.entry, streams, amount]))

    return measure


def overhead(direction: str, size: int) -> Callable[[Pair, Effort], Sample]:
    """What one transfer over a new client connection puts on the wire between the pair.

    Whatever that connection needs is counted, a handshake included; bytes of both directions.
    """

    def measure(pair: Pair, _: Effort) -> Sample:
        with Load("bench.bulk", [direction, pair.entry, 1, size]) as load:
            before = wire.counts(pair.plan.mutual)
            load.run()
            carried = wire.carried(before, wire.counts(pair.plan.mutual))
        return Sample({Metric.WIRE: 100 * (carried - size) / size})

    return measure


def _bulk(direction: str, streams: int) -> Row:
    bars, contenders = [Bar(Metric.CPU, 0.9)], list(USUAL)
    if (direction, streams) == ("down", 1):
        bars.append(Bar(Metric.CPU, 1.05, against="envoy", subject=WITHOUT_TUNNELS))
        contenders.append(WITHOUT_TUNNELS)
    return Row(
        f"{TITLES[direction]}-{streams}",
        f"{TITLES[direction]}, {streams} at a time",
        "GB",
        transfer(direction, streams),
        tuple(bars),
        tuple(contenders),
    )


def _wire(direction: str, size: int) -> Row:
    shown = f"{size // MEGABYTE} MB" if size < GIGABYTE else f"{size // GIGABYTE} GB"
    return Row(
        f"wire-{direction}-{shown.replace(' ', '').lower()}",
        f"{TITLES[direction]} of {shown}: bytes on the wire over payload",
        "GB",
        overhead(direction, size),
        (Bar(Metric.WIRE, 0.3, against=None),),
        rounds=1,  # it is the same each time
        thorough=size == CHECKPOINT,
    )


BULK = Scenario(
    4,
    "bulk",
    "Bulk transfers",
    (
        *(_bulk(direction, streams) for direction in ("down", "up") for streams in (1, 8)),
        _wire("down", GRADIENT),
        _wire("up", GRADIENT),
        _wire("down", CHECKPOINT),
    ),
    about=ABOUT,
)
