"""What a scenario is to the runner: rows, each a function from a running pair to one sample."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.figures import Metric, Sample, at
from bench.gate import Done, Load
from bench.pair import Pair
from bench.procfs import cpu_seconds
from bench.results import Bar

USUAL = ("pqproxy", "envoy", "nginx", "haproxy", "floor")
WITHOUT_TUNNELS = "pqproxy-never"


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of everything one round does."""

    seconds: float = 1.0
    gigabytes: float = 2.0
    most_idle: int = 10_000  # connections


@dataclass(frozen=True, slots=True)
class Stage:
    """What must run for a scenario; those that need the same share it."""

    backend: tuple[str, ...] = ("bench.backend",)  # a module, and arguments after its port
    alone: bool = False  # one pair at a time, fresh for each row: memory is not shared


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the results, measured for each contender in each round."""

    name: str
    title: str
    unit: str
    measure: Callable[[Pair, Effort], Sample]
    bars: tuple[Bar, ...] = ()
    contenders: tuple[str, ...] = USUAL  # of bench.contenders
    rounds: int | None = None  # at most, where one round says all
    thorough: bool = False  # `--quick` leaves it out, unless it is asked for by its name


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of traffic."""

    number: int  # the command line takes number, name, and names of rows
    name: str
    title: str
    rows: tuple[Row, ...]
    stage: Stage = Stage()
    about: str = ""  # what a reader of its figures must know, Markdown


def counted(pair: Pair, load: Load) -> Sample:
    """Run a load, with the CPU clocks of the pair read when all is ready and when it is done."""
    with load:
        before = [cpu_seconds([root]) for root in pair.processes]
        done = load.run()
        after = [cpu_seconds([root]) for root in pair.processes]
    used = [end - start for start, end in zip(before, after, strict=True)]
    return sample(done, *used)


def sample(done: Done, egress_cpu: float = 0.0, ingress_cpu: float = 0.0) -> Sample:
    """What a load reports and what the pair used meanwhile, per unit."""
    figures: dict[Metric, float] = {
        Metric.CPU: (egress_cpu + ingress_cpu) / done.units,
        Metric.EGRESS_CPU: egress_cpu / done.units,
        Metric.INGRESS_CPU: ingress_cpu / done.units,
        Metric.CLIENT_CPU: done.cpu_seconds / done.units,
        Metric.RATE: done.units / done.seconds,
    }
    if latency := done.distributions.get("latency"):
        figures[Metric.P50] = at(latency, 0.5)
        figures[Metric.P99] = at(latency, 0.99)
    return Sample(figures, done.distributions)
