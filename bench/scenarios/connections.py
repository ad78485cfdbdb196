"""Scenario 2: a client that connects anew for each request."""

from collections.abc import Callable

from bench.figures import Metric, Sample
from bench.gate import Load
from bench.pair import Pair
from bench.results import Bar
from bench.scenario import Effort, Row, Scenario, counted

ABOUT = """\
A client connects, asks, reads and leaves, and the next one comes. The peers make a TLS handshake
for each of them, pqproxy opens a stream of a tunnel.
"""


def visits(clients: int) -> Callable[[Pair, Effort], Sample]:
    """One connection after another, 128 B each, so many at a time."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        arguments = ["connections", pair.entry, clients, effort.seconds]
        return counted(pair, Load("bench.load", arguments))

    return measure


CONNECTIONS = Scenario(
    2,
    "connections",
    "A new client connection per request",
    tuple(
        Row(
            f"connections-{clients}",
            f"128 B, {clients} at a time",
            "connection",
            visits(clients),
            (Bar(Metric.CPU, 0.3),),
        )
        for clients in (1, 32)
    ),
    about=ABOUT,
)
