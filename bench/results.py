"""From samples to verdicts: pure, so that the arithmetic behind every claim has a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.figures import Metric, Sample

OURS = "pqproxy"
PEERS = ("envoy", "nginx", "haproxy")
BEST = "best"  # the peer with the least median of the figure in question


@dataclass(frozen=True, slots=True)
class Bar:
    """What is demanded of one figure."""

    metric: Metric
    limit: float
    against: str | None = BEST  # a contender, BEST, or None: the figure itself is held to it
    subject: str = OURS
    at_least: bool = False  # else at most
    difference: bool = False  # what it exceeds the other by, rather than the ratio
    unfit: str = ""  # why this machine cannot tell


@dataclass(frozen=True, slots=True)
class Judgement:
    """A bar, and what was found."""

    bar: Bar
    value: float  # the median over the rounds
    rounds: Sequence[float]
    against: str | None  # who BEST was

    @property
    def holds(self) -> bool:
        """Whether the bar is reached, just reached included."""
        if self.bar.at_least:
            return self.value >= self.bar.limit
        return self.value <= self.bar.limit


@dataclass(frozen=True, slots=True)
class Measured:
    """All rounds of one row: the samples of each contender, in the order of the rounds."""

    scenario: str
    name: str
    title: str
    unit: str  # what one unit is: "request", "GB", "handshake"
    bars: Sequence[Bar]
    samples: Mapping[str, Sequence[Sample]]
    failed: Mapping[str, str] = field(default_factory=dict)  # contender: why it has no more

    def values(self, contender: str, metric: Metric) -> list[float]:
        """A figure, round by round; none where it was not taken."""
        samples = self.samples.get(contender, ())
        return [sample.figures[metric] for sample in samples if metric in sample.figures]

    def median(self, contender: str, metric: Metric) -> float | None:
        """The median over the rounds; None where it was not taken."""
        values = self.values(contender, metric)
        return median(values) if values else None

    def best(self, metric: Metric) -> str | None:
        """The peer with the least median; None when no peer was measured."""
        medians = {name: self.median(name, metric) for name in PEERS}
        found = {name: value for name, value in medians.items() if value is not None}
        return min(found, key=found.__getitem__) if found else None

    def judge(self, bar: Bar) -> Judgement | None:
        """Hold the figures to a bar; None when that cannot be told here.

        The median of what each round says, not what the medians say: a machine's speed drifts,
        and a round shares it.
        """
        ours = [] if bar.unfit else self.values(bar.subject, bar.metric)
        if bar.against is None:
            return Judgement(bar, median(ours), ours, None) if ours else None
        other = self.best(bar.metric) if bar.against == BEST else bar.against
        theirs = self.values(other, bar.metric) if other is not None else []
        rounds = [
            one - two if bar.difference else one / two
            for one, two in zip(ours, theirs, strict=False)
        ]
        return Judgement(bar, median(rounds), rounds, other) if rounds else None


@dataclass(frozen=True, slots=True)
class Gaps:
    """Times between the tokens of a stream, in milliseconds."""

    count: int
    p50: float
    p99: float
    worst: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Gaps":
        """From each gap in seconds; there is at least one."""
        ranked = sorted(gap * 1e3 for gap in seconds)
        last = len(ranked) - 1
        return cls(len(ranked), ranked[last // 2], ranked[round(last * 0.99)], ranked[last])


@dataclass(frozen=True, slots=True)
class Results:
    """Everything one run found."""

    command: str
    date: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]  # contender: what was measured
    skipped: Mapping[str, str]  # contender: why it was not
    rounds: int
    measured: Sequence[Measured] = field(default_factory=tuple)
    about: Mapping[str, str] = field(default_factory=dict)  # title of a scenario: how to read it
