"""Scenario 1: keep-alive requests."""

from collections.abc import Callable

from bench.figures import Metric, Sample
from bench.gate import Load
from bench.pair import Pair
from bench.results import Bar
from bench.scenario import USUAL, WITHOUT_TUNNELS, Effort, Row, Scenario, counted

SIZES = {128: "128 B", 16384: "16 KB"}
WITHOUT = Bar(Metric.CPU, 1.1, against="envoy", subject=WITHOUT_TUNNELS)
BARS = {
    (128, 1): (Bar(Metric.P50, 1.3), WITHOUT),
    (128, 32): (Bar(Metric.CPU, 0.75), WITHOUT),
    (128, 256): (Bar(Metric.CPU, 0.65),),
}


ABOUT = """\
One request is under way on each connection; the next follows when the answer is whole. Over one
connection nothing ever leaves together with anything else, so there a request costs most.
"""


def keep_alive(connections: int, size: int) -> Callable[[Pair, Effort], Sample]:
    """Requests answered with `size` bytes, one under way on each connection."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        arguments = ["requests", pair.entry, connections, size, effort.seconds]
        return counted(pair, Load("bench.load", arguments))

    return measure


def _row(connections: int, size: int) -> Row:
    plural = "s" if connections > 1 else ""
    bars = BARS.get((size, connections), ())
    return Row(
        f"requests-{connections}" if size == 128 else f"requests-{connections}-16k",
        f"{SIZES[size]}, {connections} connection{plural}",
        "request",
        keep_alive(connections, size),
        bars,
        (*USUAL, WITHOUT_TUNNELS) if WITHOUT in bars else USUAL,
    )


REQUESTS = Scenario(
    1,
    "requests",
    "Keep-alive requests",
    tuple(_row(connections, size) for size in SIZES for connections in (1, 32, 256)),
    about=ABOUT,
)
