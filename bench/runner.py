"""Runs rows for contenders, in turn, over several rounds."""

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from bench import report
from bench.certificates import Certificates
from bench.contenders import CONTENDERS, DIRECT
from bench.figures import Sample
from bench.gate import LoadFailed
from bench.pair import Pair, direct, running
from bench.processes import LOAD_CORE, DidNotStart, free_port, module, server
from bench.results import Measured
from bench.scenario import Effort, Row, Scenario, Stage

WARM_UP = Effort(seconds=0.2, gigabytes=0.05)


@dataclass(frozen=True, slots=True)
class Runner:
    """Where and how thoroughly everything is measured."""

    contenders: Sequence[str]  # those wanted and present
    directory: Path
    certificates: Certificates
    effort: Effort
    rounds: int

    def run(self, scenarios: Sequence[Scenario]) -> Iterator[Measured]:
        """Measure all rows; each comes when its last round is over.

        Those that need the same stage follow each other. Raises DidNotStart.
        """
        total = sum(len(scenario.rows) for scenario in scenarios)
        done = 0
        for stage in dict.fromkeys(scenario.stage for scenario in scenarios):
            group = [scenario for scenario in scenarios if scenario.stage == stage]
            measure = self._alone if stage.alone else self._beside
            with self._backend(stage) as backend:
                for row in measure(group, backend):
                    done += 1
                    say(f"{row.name}: done, {done} of {total}")
                    yield row

    def _beside(self, scenarios: Sequence[Scenario], backend: int) -> Iterator[Measured]:
        """All pairs are up the whole time: the one that has no work costs nothing."""
        wanted = dict.fromkeys(
            name for each in scenarios for row in each.rows for name in self._of(row)
        )
        broken: dict[str, str] = {}
        with ExitStack() as stack:
            pairs: dict[str, Pair] = {}
            for name in wanted:
                try:
                    pairs[name] = stack.enter_context(self._pair(name, backend))
                except DidNotStart as failure:
                    broken[name] = _told(name, failure)
            for scenario in scenarios:
                for row in scenario.rows:
                    names = self._of(row)
                    failed = {name: broken[name] for name in names if name in broken}
                    taken = _Taken(row, [name for name in names if name in pairs], failed=failed)
                    if row is scenario.rows[0]:
                        taken.warm_up(pairs)
                    taken.take(pairs, self.effort, self.rounds)
                    yield taken.measured(scenario)

    def _alone(self, scenarios: Sequence[Scenario], backend: int) -> Iterator[Measured]:
        """One fresh pair at a time, so that no other shares its pages."""
        for scenario in scenarios:
            for row in scenario.rows:
                taken = _Taken(row, [])
                for name in self._of(row):
                    taken.contenders = [name]
                    try:
                        with self._pair(name, backend) as pair:
                            taken.take({name: pair}, self.effort, self.rounds)
                    except DidNotStart as failure:
                        taken.failed[name] = _told(name, failure)
                yield taken.measured(scenario)

    def _of(self, row: Row) -> list[str]:
        return [name for name in row.contenders if name in self.contenders]

    def _pair(self, name: str, backend: int) -> AbstractContextManager[Pair]:
        directory = self.directory / f"{name}-{next(_numbers)}"
        if name == DIRECT:
            return direct(directory, self.certificates, backend)
        return running(CONTENDERS[name], directory, self.certificates, backend)

    @contextmanager
    def _backend(self, stage: Stage) -> Iterator[int]:
        name, *arguments = stage.backend
        port = free_port()
        log = self.directory / f"backend-{next(_numbers)}.log"
        argv = module(name, port, *arguments)
        with server(argv, cores=[LOAD_CORE], ports=[port], log=log):
            yield port


@dataclass(slots=True)
class _Taken:
    """What has been found of one row."""

    row: Row
    contenders: list[str]  # who takes part in the next round
    samples: dict[str, list[Sample]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)

    def warm_up(self, pairs: Mapping[str, Pair]) -> None:
        """A little of it that nobody counts: no first time is any contender's."""
        for name in self.contenders:
            with suppress(LoadFailed, OSError):  # the first round will tell
                self.row.measure(pairs[name], WARM_UP)

    def take(self, pairs: Mapping[str, Pair], effort: Effort, rounds: int) -> None:
        """Some rounds. Whoever fails is out; the others go on."""
        rounds = rounds if self.row.rounds is None else min(rounds, self.row.rounds)
        for number in range(rounds):
            # Every other round in reverse, so that none always has the warmer machine.
            for name in self.contenders[:: -1 if number % 2 else 1]:
                try:
                    found = self.row.measure(pairs[name], effort)
                except (LoadFailed, OSError) as failure:
                    self.contenders.remove(name)
                    self.failed[name] = str(failure)
                    figures = f"failed: {failure}"
                else:
                    self.samples.setdefault(name, []).append(found)
                    figures = report.progress(found, self.row.unit)
                say(f"{self.row.name}: round {number + 1}/{rounds}: {name}: {figures}")

    def measured(self, scenario: Scenario) -> Measured:
        row = self.row
        samples = {name: self.samples[name] for name in row.contenders if name in self.samples}
        return Measured(
            scenario.title, row.name, row.title, row.unit, row.bars, samples, self.failed
        )


def _told(name: str, failure: DidNotStart) -> str:
    """The whole of it goes to stderr, its last line into the results."""
    say(f"{name} did not start: {failure}")
    return f"did not start: {str(failure).strip().splitlines()[-1]}"


_numbers = itertools.count(1)
_began = time.monotonic()


def say(line: str) -> None:
    """Progress goes to stderr, with minutes and seconds: the table is the output."""
    minutes, seconds = divmod(int(time.monotonic() - _began), 60)
    print(f"{minutes:2}:{seconds:02} {line}", file=sys.stderr, flush=True)
