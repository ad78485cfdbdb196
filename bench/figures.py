"""What a measurement consists of: named figures, and distributions by their quantiles."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

# Where distributions are kept: enough for a plot, however many values there were.
FRACTIONS = (0.0, *(step / 100 for step in range(5, 100, 5)), 0.98, 0.99, 0.995, 0.999, 1.0)


class Metric(StrEnum):
    """One figure of a sample. Times are in seconds, sizes in bytes, CPU and memory per unit."""

    CPU = "cpu"  # all processes of the pair, supervisors included, per unit
    EGRESS_CPU = "egress_cpu"
    INGRESS_CPU = "ingress_cpu"
    CLIENT_CPU = "client_cpu"  # the load generator alone, per unit
    RATE = "rate"  # units per second of wall clock
    P50 = "p50"
    P99 = "p99"
    GAP_P50 = "gap_p50"  # between tokens of a stream
    GAP_P99 = "gap_p99"
    FIRST_P50 = "first_p50"  # to the first token
    FIRST_P99 = "first_p99"
    WIRE = "wire"  # bytes on the wire between the pair beyond the payload, in percent of it
    CONNECTIONS = "connections"  # how many were idle
    EGRESS_MEMORY = "egress_memory"  # per idle connection
    INGRESS_MEMORY = "ingress_memory"
    SUPERVISOR = "supervisor"  # memory of a process
    WORKER = "worker"
    LEAST_SHARE = "least_share"  # of the work, what the idlest worker did, in percent
    MOST_SHARE = "most_share"


@dataclass(frozen=True, slots=True)
class Sample:
    """One round of one contender."""

    figures: Mapping[Metric, float]
    # What was distributed ("latency", "gap", "first token"): its values at FRACTIONS, in seconds.
    distributions: Mapping[str, Sequence[float]] = field(default_factory=dict)


def at(distribution: Sequence[float], fraction: float) -> float:
    """The value at one of FRACTIONS."""
    return distribution[FRACTIONS.index(fraction)]


def quantiles(values: Sequence[float]) -> list[float]:
    """The values at FRACTIONS, by nearest rank, to 0.1 us; there is at least one."""
    ranked = sorted(values)
    places = (max(0, math.ceil(fraction * len(ranked)) - 1) for fraction in FRACTIONS)
    return [round(ranked[place], 7) for place in places]
