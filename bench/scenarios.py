"""What is measured, one function each: a running pair in, one sample out."""

from collections.abc import Callable
from dataclasses import dataclass

from bench.gate import Load
from bench.pair import GROUP, Pair
from bench.procfs import cpu_seconds, process_tree, pss
from bench.results import Memory, Sample

GIGABYTE = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of everything one round does."""

    seconds: float = 4.0
    gigabytes: float = 2.0
    idle_connections: int = 1000


@dataclass(frozen=True, slots=True)
class Scenario:
    """One row of the table."""

    name: str  # what `--only` takes
    title: str
    unit: str
    bar: float
    measure: Callable[[Pair, Effort], Sample]


def keep_alive(connections: int) -> Callable[[Pair, Effort], Sample]:
    """Requests answered with 128 bytes, one under way on each connection."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        arguments = ["requests", pair.plan.entry, connections, effort.seconds]
        return _sample(Load("bench.load", arguments), *pair.processes)

    return measure


def bulk(pair: Pair, effort: Effort) -> Sample:
    """One download through both sides."""
    amount = int(effort.gigabytes * GIGABYTE)
    return _sample(Load("bench.load", ["bulk", pair.plan.entry, amount]), *pair.processes)


def handshakes_anonymous(pair: Pair, effort: Effort) -> Sample:
    """Full handshakes without a client certificate; the ingress alone is counted."""
    arguments = [pair.plan.anonymous, effort.seconds, GROUP, pair.plan.certificates.root]
    return _sample(Load("bench.handshakes", arguments), pair.ingress)


def handshakes_mutual(pair: Pair, effort: Effort) -> Sample:
    """Full handshakes with a client certificate, verified; the ingress alone is counted."""
    client = pair.plan.certificates.client
    arguments = [pair.plan.mutual, effort.seconds, GROUP, pair.plan.certificates.root]
    load = Load("bench.handshakes", [*arguments, client.certificate, client.key])
    return _sample(load, pair.ingress)


SCENARIOS = (
    Scenario("requests-1", "keep-alive requests, 1 connection", "request", 1.1, keep_alive(1)),
    Scenario("requests-32", "keep-alive requests, 32 connections", "request", 1.1, keep_alive(32)),
    Scenario("bulk", "download", "GB", 1.05, bulk),
    Scenario("handshakes", "full handshakes", "handshake", 3.0, handshakes_anonymous),
    Scenario(
        "handshakes-mutual",
        "full handshakes, client certificate",
        "handshake",
        3.0,
        handshakes_mutual,
    ),
)


def measure_memory(pair: Pair, effort: Effort) -> list[Memory]:
    """Memory of each side after some traffic, and what idle connections add to it."""
    bulk(pair, Effort(gigabytes=0.2))
    keep_alive(32)(pair, Effort(seconds=1))
    sides = {"egress": pair.egress, "ingress": pair.ingress}
    before = {role: _memory(root) for role, root in sides.items()}
    count = effort.idle_connections
    with Load("bench.load", ["idle", pair.plan.entry, count]) as load:
        load.run()
        after = {role: _memory(root) for role, root in sides.items()}
    return [
        Memory(
            role=role,
            processes=before[role],
            per_idle_connection=(sum(after[role].values()) - sum(before[role].values())) / count,
            idle_connections=count,
        )
        for role in sides
    ]


def _sample(load: Load, *counted: int) -> Sample:
    with load:
        before = cpu_seconds(counted)
        done = load.run()
        after = cpu_seconds(counted)
    return Sample(done.units, after - before, done.seconds)


def _memory(root: int) -> dict[str, int]:
    """A proxy is one process, or a supervisor with one worker under it."""
    tree = [stat.pid for stat in process_tree(root)]
    names = ["process"] if len(tree) == 1 else ["supervisor", *["worker"] * (len(tree) - 1)]
    sizes: dict[str, int] = {}
    for name, pid in zip(names, tree, strict=True):
        sizes[name] = sizes.get(name, 0) + pss(pid)
    return sizes
