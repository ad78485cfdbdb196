"""From samples to figures: pure, so that the arithmetic behind every claim has a test."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

OURS = "pqproxy"
REFERENCE = "envoy"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one peer: what was done, and what it cost."""

    units: float
    cpu_seconds: float
    wall_seconds: float

    @property
    def cost(self) -> float:
        """CPU seconds per unit."""
        return self.cpu_seconds / self.units

    @property
    def rate(self) -> float:
        """Units per second of wall clock."""
        return self.units / self.wall_seconds


@dataclass(frozen=True, slots=True)
class Measured:
    """All rounds of one scenario: the samples of each peer, in the order of the rounds."""

    title: str
    unit: str  # what one unit is: "request", "GB", "handshake"
    bar: float  # the most that pqproxy may cost, as a multiple of the reference
    samples: Mapping[str, Sequence[Sample]]

    def cost(self, peer: str) -> float:
        """The median over the rounds, in CPU seconds per unit."""
        return median(sample.cost for sample in self.samples[peer])

    def rate(self, peer: str) -> float:
        """The median over the rounds, in units per second."""
        return median(sample.rate for sample in self.samples[peer])

    def ratio(self) -> float | None:
        """Median of the ratios of each round; None when one of the two was not measured.

        Not the ratio of the medians: a machine's speed drifts, and what shares a round shares it.
        """
        ratios = self.ratios()
        return median(ratios) if ratios else None

    def ratios(self) -> list[float]:
        """Ours by the reference's, round by round."""
        rounds = zip(self.samples.get(OURS, ()), self.samples.get(REFERENCE, ()), strict=False)
        return [ours.cost / reference.cost for ours, reference in rounds]


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
class Memory:
    """Proportional set size of one side of a pair, in bytes."""

    role: str  # "egress" or "ingress"
    processes: Mapping[str, int]  # "supervisor", "worker", or "process": bytes
    per_idle_connection: float
    idle_connections: int


@dataclass(frozen=True, slots=True)
class Results:
    """Everything one run found."""

    command: str
    date: str
    machine: Mapping[str, str]
    versions: Mapping[str, str]  # peer: what was measured
    skipped: Mapping[str, str]  # peer: why it was not
    rounds: int
    measured: Sequence[Measured] = ()
    memory: Mapping[str, Sequence[Memory]] = field(default_factory=dict)
