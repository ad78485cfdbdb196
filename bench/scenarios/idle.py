"""Scenario 6: connections that are open and say nothing."""

import resource
from collections.abc import Callable

from bench.figures import Metric, Sample
from bench.gate import Load
from bench.pair import Pair
from bench.procfs import process_tree, pss
from bench.results import Bar
from bench.scenario import USUAL, WITHOUT_TUNNELS, Effort, Row, Scenario, Stage

LIMIT = 10e3  # bytes a connection and side
PROCESSES = (Bar(Metric.SUPERVISOR, 60e6, against=None), Bar(Metric.WORKER, 45e6, against=None))
WITHOUT = tuple(
    Bar(metric, 20e3, against=None, subject=WITHOUT_TUNNELS)
    for metric in (Metric.EGRESS_MEMORY, Metric.INGRESS_MEMORY)
)
WARM_UP = 0.5  # seconds of requests
QUICK = 1_000  # connections: more take their time
SPARE = 500  # descriptors that a proxy has beside its connections'


ABOUT = """\
Each connection has carried one request and says no more. **Each** is by how much the proportional
set size of a side has grown, all its processes taken together, by the connections it holds; what
the kernel needs for their sockets is in no process. **Supervisor** and **worker** are without them,
after some traffic. A proxy without tunnels has two descriptors for each connection, so that
`ulimit -n` may allow fewer than were wanted: the first column says how many there were.
"""


def idle(count: int) -> Callable[[Pair, Effort], Sample]:
    """What `count` connections add to the memory of each side, which has carried data before."""

    def measure(pair: Pair, effort: Effort) -> Sample:
        held = min(count, effort.most_idle, _most())
        with Load("bench.load", ["requests", pair.entry, 32, 128, WARM_UP]) as load:
            load.run()
        before = [_memory(root) for root in pair.processes]
        with Load("bench.load", ["idle", pair.entry, held]) as load:
            load.run()
            after = [_memory(root) for root in pair.processes]
        egress, ingress = (
            (sum(late) - sum(early)) / held for early, late in zip(before, after, strict=True)
        )
        figures = {
            Metric.CONNECTIONS: held,
            Metric.EGRESS_MEMORY: egress,
            Metric.INGRESS_MEMORY: ingress,
            Metric.WORKER: max(side[-1] for side in before),
        }
        if all(len(side) > 1 for side in before):
            figures[Metric.SUPERVISOR] = max(side[0] for side in before)
        return Sample(figures)

    return measure


def _most() -> int:
    """Proxies without a tunnel hold two descriptors a connection."""
    return (resource.getrlimit(resource.RLIMIT_NOFILE)[0] - SPARE) // 2


def _memory(root: int) -> list[int]:
    """Bytes of each process of a side, the top one first."""
    return [pss(stat.pid) for stat in process_tree(root)]


def _row(count: int) -> Row:
    few = count <= QUICK
    return Row(
        f"idle-{count}",
        f"{count:,} connections",
        "connection",
        idle(count),
        (
            Bar(Metric.EGRESS_MEMORY, LIMIT, against=None),
            Bar(Metric.INGRESS_MEMORY, LIMIT, against=None),
            *(PROCESSES + WITHOUT if few else ()),
        ),
        (*USUAL, WITHOUT_TUNNELS) if few else USUAL,
        thorough=not few,
        rounds=1,  # what a process has grown by it keeps: the next round would find it there
    )


IDLE = Scenario(
    6,
    "idle",
    "Idle connections",
    tuple(_row(count) for count in (1_000, 10_000)),
    Stage(alone=True),
    about=ABOUT,
)
