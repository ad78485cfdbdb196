"""Scenario 3: answers that come token by token, many at a time."""

from collections.abc import Callable
from dataclasses import replace

from bench.contenders import DIRECT
from bench.figures import Metric, Sample, at
from bench.gate import Load
from bench.pair import Pair
from bench.results import Bar
from bench.scenario import USUAL, Effort, Row, Scenario, Stage, counted

STREAMS = 200
UNPADDED = "pqproxy-unpadded"
FIGURES = {
    Metric.GAP_P50: ("gap", 0.5),
    Metric.GAP_P99: ("gap", 0.99),
    Metric.FIRST_P50: ("first token", 0.5),
    Metric.FIRST_P99: ("first token", 0.99),
}
BARS = tuple(
    bar
    for subject in ("pqproxy", UNPADDED)
    for bar in (
        Bar(Metric.CPU, 0.75, subject=subject),
        Bar(Metric.GAP_P99, 0.001, against=DIRECT, subject=subject, difference=True),
    )
)


ABOUT = """\
Streams are opened one after another, at a token a second each: the **first token** is what a new
client waits for while little goes on. Then all ask for a token each interval, in phases of their
own, from a server that wakes once a millisecond. A **gap** is the time between two tokens as the
client read them; of tokens that come together all but the first have none.

A token each 5 ms makes 40,000 a second. Where a core cannot carry that, tokens wait in the kernel,
come several at a time and cost less each: look at the rate first. A token each 50 ms leaves room to
spare, and every one costs its own system calls.
"""


def tokens(interval_ms: int) -> Callable[[Pair, Effort], Sample]:
    """Streams that are all open: the CPU of a token, and how evenly they come."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        arguments = [pair.entry, STREAMS, interval_ms, effort.seconds]
        taken = counted(pair, Load("bench.streams", arguments))
        figures = {
            metric: at(taken.distributions[name], fraction)
            for metric, (name, fraction) in FIGURES.items()
        }
        return replace(taken, figures={**taken.figures, **figures})

    return measure


def _row(name: str, interval_ms: int, bars: tuple[Bar, ...]) -> Row:
    title = f"{STREAMS} streams, 240 B every {interval_ms} ms"
    contenders = (*USUAL, UNPADDED, DIRECT)
    return Row(name, title, "token", tokens(interval_ms), bars, contenders)


STREAMING = Scenario(
    3,
    "streams",
    "Token streams",
    (_row("streams-5", 5, BARS), _row("streams-50", 50, BARS)),
    Stage(backend=("bench.tokens",)),
    about=ABOUT,
)
