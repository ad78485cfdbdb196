"""Scenario 5: small requests while a bulk transfer runs through the same pair."""

from bench.contenders import DIRECT
from bench.figures import Metric, Sample
from bench.gate import Load
from bench.pair import Pair
from bench.results import Bar
from bench.scenario import USUAL, Effort, Row, Scenario, sample

CONNECTIONS = 8
ENDLESS = 1_000_000_000_000  # bytes: it outlasts every round, and is broken off then
ROUND_LENGTH = 2  # of the usual: a p99 wants many requests


ABOUT = """\
Requests over connections of their own, while one download takes all that the pair can carry: what
a small answer waits for a large one.
"""


def beside_bulk(pair: Pair, effort: Effort) -> Sample:
    """Requests of 128 B; what they cost cannot be told from what the transfer does."""
    seconds = ROUND_LENGTH * effort.seconds
    requests = Load("bench.load", ["requests", pair.entry, CONNECTIONS, 128, seconds])
    bulk = Load("bench.bulk", ["down", pair.entry, 1, ENDLESS])
    with requests, bulk:
        bulk.begin()
        found = sample(requests.run())
        bulk.end()
    latency = {metric: found.figures[metric] for metric in (Metric.RATE, Metric.P50, Metric.P99)}
    return Sample(latency, found.distributions)


MIXED = Scenario(
    5,
    "mixed",
    "Small requests beside a bulk transfer",
    (
        Row(
            "requests-beside-bulk",
            f"128 B, {CONNECTIONS} connections, during a download",
            "request",
            beside_bulk,
            (Bar(Metric.P99, 2.0),),
            (*USUAL, DIRECT),
        ),
    ),
    about=ABOUT,
)
