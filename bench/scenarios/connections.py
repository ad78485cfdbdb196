"""Scenario 2: a client that connects anew for each request."""

from bench.figures import Metric, Sample
from bench.gate import Load
from bench.pair import Pair
from bench.results import Bar
from bench.scenario import Effort, Row, Scenario, counted


def visits(pair: Pair, effort: Effort) -> Sample:
    """One connection after another, 128 B each."""
    return counted(pair, Load("bench.load", ["connections", pair.entry, effort.seconds]))


CONNECTIONS = Scenario(
    2,
    "connections",
    "A new client connection per request",
    (Row("connections", "128 B, one at a time", "connection", visits, (Bar(Metric.CPU, 0.3),)),),
)
