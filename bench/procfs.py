"""CPU time and memory of processes, as the kernel counts them."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")
CPUCLOCK_SCHED = 2


@dataclass(frozen=True, slots=True)
class Stat:
    """The fields of /proc/<pid>/stat that are of use here."""

    pid: int
    parent: int
    cpu_seconds: float


def parse_stat(text: str) -> Stat:
    """Read one /proc/<pid>/stat. The name in parentheses may hold spaces and parentheses."""
    pid, _, rest = text.partition(" ")
    fields = rest.rpartition(")")[2].split()
    user, system = int(fields[11]), int(fields[12])
    return Stat(int(pid), int(fields[1]), (user + system) / TICKS_PER_SECOND)


def parse_pss(text: str) -> int:
    """The proportional set size in /proc/<pid>/smaps_rollup, in bytes."""
    for line in text.splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise ValueError("smaps_rollup has no Pss line")


def descendants(root: int, stats: Iterable[Stat]) -> list[Stat]:
    """`root` and everything under it, parents first."""
    by_parent: dict[int, list[Stat]] = {}
    found = []
    for stat in stats:
        by_parent.setdefault(stat.parent, []).append(stat)
        if stat.pid == root:
            found.append(stat)
    for stat in found:  # grows while it is walked
        found.extend(by_parent.get(stat.pid, ()))
    return found


def process_tree(root: int) -> list[Stat]:
    """A running process and its descendants, now."""
    return descendants(root, _all_stats())


def cpu_seconds(roots: Iterable[int]) -> float:
    """CPU time that these processes and their descendants have used since they started."""
    stats = list(_all_stats())
    return sum(process_clock(stat) for root in roots for stat in descendants(root, stats))


def process_clock(stat: Stat) -> float:
    """CPU time of one process by its own clock: nanoseconds, where /proc counts in ticks of 10 ms.

    Threads that have ended are in it. The id of the clock is what clock_getcpuclockid(3) makes.
    """
    try:
        return time.clock_gettime((~stat.pid << 3) | CPUCLOCK_SCHED)
    except OSError:  # it has ended meanwhile
        return stat.cpu_seconds


def thread_seconds(root: int) -> dict[int, float]:
    """CPU time of each thread of a process and its descendants, by thread id."""
    paths = (
        path for each in process_tree(root) for path in PROC.glob(f"{each.pid}/task/[0-9]*/stat")
    )
    return {stat.pid: stat.cpu_seconds for stat in _read(paths)}


def pss(pid: int) -> int:
    """Memory of one process in bytes, its share of shared pages included."""
    return parse_pss((PROC / str(pid) / "smaps_rollup").read_text())


def _all_stats() -> Iterable[Stat]:
    return _read(PROC.glob("[0-9]*/stat"))


def _read(paths: Iterable[Path]) -> Iterable[Stat]:
    for path in paths:
        try:
            yield parse_stat(path.read_text())
        except (FileNotFoundError, ProcessLookupError):  # it ended while we looked
            continue
