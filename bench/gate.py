"""How a load process and the harness take turns, over the load's stdin and stdout.

The load says it is ready (all connections are open and warm), the harness reads the CPU clocks
and says go, the load reports what it did and keeps its connections open until it is told to
leave. So neither opening nor closing is counted where it is not the thing measured.
"""

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from bench.processes import LOAD_CORE, module

READY = "ready"
PATIENCE = 120  # seconds: nothing here takes so long


@dataclass(frozen=True, slots=True)
class Work:
    """What a load has done: units, and what was distributed, at bench.figures.FRACTIONS."""

    units: float
    distributions: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Done:
    """What a load did between go and its report, and its own CPU."""

    units: float
    seconds: float
    cpu_seconds: float
    distributions: Mapping[str, Sequence[float]]


class LoadFailed(Exception):
    """A load ended without a report."""


def serve_load(work: Callable[[], Work]) -> None:
    """The load's side: `work` runs once when told so."""
    print(READY, flush=True)
    sys.stdin.readline()
    started, cpu = time.perf_counter(), time.process_time()
    work_done = work()
    seconds, used = time.perf_counter() - started, time.process_time() - cpu
    done = Done(work_done.units, seconds, used, work_done.distributions)
    print(json.dumps(asdict(done)), flush=True)
    sys.stdin.readline()


class Load:
    """The harness's side: a load process, used as a context manager."""

    def __init__(self, name: str, arguments: Sequence[object]) -> None:
        self._name = " ".join(map(str, (name, *arguments)))
        self._process = subprocess.Popen(
            module(name, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {LOAD_CORE}),
        )

    def __enter__(self) -> "Load":
        try:
            self._read()
        except LoadFailed:
            self.__exit__()
            raise
        return self

    def __exit__(self, failure: object = None, *_: object) -> None:
        if failure is not None:
            self.end()  # it may be in the midst of something endless
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self) -> Done:
        """Let it work and wait for its report."""
        self.begin()
        done = Done(**json.loads(self._read()))
        if not done.units:
            raise LoadFailed(f"{self._name} has done nothing")
        return done

    def begin(self) -> None:
        """Let it work."""
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> None:
        """End it in mid-work: nobody wants its report."""
        self._process.kill()

    def _read(self) -> str:
        if not select.select([self._process.stdout], [], [], PATIENCE)[0]:
            self.end()
            raise LoadFailed(f"{self._name} hung for {PATIENCE} s")
        if line := self._process.stdout.readline().strip():
            return line
        raise LoadFailed(f"{self._name} ended with {self._process.wait()}")
