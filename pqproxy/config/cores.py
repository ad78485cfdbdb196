"""How many cores this process may use: what `workers: auto` means.

Two things may allow fewer than the machine has: the affinity mask, and the CPU quota of the cgroup
or of one above it, which is how containers are limited.
"""

import os
from collections.abc import Iterator
from pathlib import Path

_PROC = Path("/proc/self/cgroup")
_MOUNT = Path("/sys/fs/cgroup")


def usable_cores(membership: Path = _PROC, mount: Path = _MOUNT) -> int:
    """Return the cores that a worker each would keep busy; at least one.

    A quota is rounded down: a worker for the rest of a core would make all of them wait for the
    next period of the quota, which streams feel as pauses.
    """
    quotas = [int(quota) for quota in _quotas(membership, mount)]
    return max(1, min([_affinity(), *quotas]))


def _affinity() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


def _quotas(membership: Path, mount: Path) -> Iterator[float]:
    """Cores by the quota of each cgroup from our own up to the root."""
    for line in _text(membership).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root = mount
        elif "cpu" in controllers.split(","):
            root = mount / "cpu"  # version 1 of the interface
        else:
            continue
        group = root / path.lstrip("/")
        for place in (group, *group.parents):
            if place.is_relative_to(root):
                yield from _quota(place)


def _quota(group: Path) -> Iterator[float]:
    limit, period = (
        _text(group / "cpu.max").split()
        or [_text(group / f"cpu.cfs_{name}_us").strip() for name in ("quota", "period")]
    )  # fmt: skip
    if limit.isdecimal() and period.isdecimal() and int(period):  # else there is no limit
        yield int(limit) / int(period)


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, ValueError):
        return ""
