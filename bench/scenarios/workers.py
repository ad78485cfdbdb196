"""Scenario 8: one worker and two."""

from bench.figures import Metric, Sample
from bench.pair import Pair
from bench.processes import CORES
from bench.procfs import thread_seconds
from bench.results import OURS, Bar
from bench.scenario import Effort, Row, Scenario
from bench.scenarios.bulk import transfer
from bench.scenarios.requests import keep_alive

WORKERS = 2
TWO = f"{OURS}-{WORKERS}"
CONTENDERS = tuple(
    name for peer in (OURS, "envoy", "nginx", "haproxy") for name in (peer, f"{peer}-{WORKERS}")
)
FEW_CORES = f"needs {WORKERS + 1} cores or more" if len(CORES) <= WORKERS else ""
SHARES = (
    Bar(Metric.LEAST_SHARE, 35, against=None, subject=TWO, at_least=True),
    Bar(Metric.MOST_SHARE, 65, against=None, subject=TWO),
)


ABOUT = """\
The same with one worker on each side and with two, each with a core of its own as far as there are
cores. A **share** is of the work of both, for the idlest and the busiest worker of either side.
"""


def requests(pair: Pair, effort: Effort) -> Sample:
    """Keep-alive requests over 256 connections: enough that chance alone divides them well."""
    return _shared(pair, lambda: keep_alive(256, 128)(pair, effort))


def downloads(pair: Pair, effort: Effort) -> Sample:
    """Eight downloads at a time: what keeps proxies busy and the client idle."""
    return transfer("down", 8)(pair, effort)


def shares(before: dict[int, float], after: dict[int, float]) -> list[float]:
    """The parts, in percent, of what the busiest threads have used in between."""
    used = sorted((seconds - before.get(thread, 0.0) for thread, seconds in after.items()))
    busiest = used[-WORKERS:]
    return [100 * seconds / (sum(busiest) or 1.0) for seconds in busiest]


def _shared(pair: Pair, measure) -> Sample:
    before = [thread_seconds(root) for root in pair.processes]
    found = measure()
    if pair.plan.workers < WORKERS:
        return found
    after = [thread_seconds(root) for root in pair.processes]
    parts = [part for sides in zip(before, after, strict=True) for part in shares(*sides)]
    extremes = {Metric.LEAST_SHARE: min(parts), Metric.MOST_SHARE: max(parts)}
    return Sample({**found.figures, **extremes}, found.distributions)


_MORE = Bar(Metric.RATE, 1.7, against=OURS, subject=TWO, at_least=True, unfit=FEW_CORES)

WORKER_COUNTS = Scenario(
    8,
    "workers",
    "One worker and two",
    (
        Row("workers-requests", "128 B, 256 connections", "request", requests, SHARES, CONTENDERS),
        Row(
            "workers-downloads",
            "download, 8 at a time",
            "GB",
            downloads,
            (_MORE,),
            CONTENDERS,
            rounds=1 if FEW_CORES else None,
            thorough=bool(FEW_CORES),
        ),
    ),
    about=ABOUT,
)
