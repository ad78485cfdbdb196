"""Runs rows for contenders, in turn, over several rounds."""

import itertools
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import report
from bench.certificates import Certificates
from bench.contenders import CONTENDERS, DIRECT
from bench.figures import Sample
from bench.pair import Pair, direct, running
from bench.processes import LOAD_CORE, free_port, module, server
from bench.results import Measured
from bench.scenario import Effort, Row, Scenario, Stage


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

        Raises DidNotStart, LoadFailed.
        """
        for stage, neighbours in itertools.groupby(scenarios, lambda scenario: scenario.stage):
            group = list(neighbours)
            with self._backend(stage) as backend:
                yield from (
                    self._alone(group, backend) if stage.alone else self._beside(group, backend)
                )

    def _beside(self, scenarios: Sequence[Scenario], backend: int) -> Iterator[Measured]:
        """All pairs are up the whole time: the one that has no work costs nothing."""
        wanted = dict.fromkeys(
            name for each in scenarios for row in each.rows for name in self._of(row)
        )
        with ExitStack() as stack:
            pairs = {name: stack.enter_context(self._pair(name, backend)) for name in wanted}
            for scenario in scenarios:
                for row in scenario.rows:
                    yield self._rounds_of(scenario, row, pairs)

    def _alone(self, scenarios: Sequence[Scenario], backend: int) -> Iterator[Measured]:
        """One fresh pair at a time, so that no other shares its pages."""
        for scenario in scenarios:
            for row in scenario.rows:
                samples: dict[str, list[Sample]] = {}
                for name in self._of(row):
                    with self._pair(name, backend) as pair:
                        samples[name] = self._rounds_of(scenario, row, {name: pair}).samples[name]
                yield self._measured(scenario, row, samples)

    def _rounds_of(self, scenario: Scenario, row: Row, pairs: Mapping[str, Pair]) -> Measured:
        present = [name for name in self._of(row) if name in pairs]
        samples: dict[str, list[Sample]] = {name: [] for name in present}
        rounds = self.rounds if row.rounds is None else min(self.rounds, row.rounds)
        for number in range(rounds):
            # Every other round in reverse, so that none always has the warmer machine.
            for name in present[:: -1 if number % 2 else 1]:
                found = row.measure(pairs[name], self.effort)
                samples[name].append(found)
                figures = report.progress(found, row.unit)
                say(f"{row.name}: round {number + 1}/{rounds}: {name}: {figures}")
        return self._measured(scenario, row, samples)

    def _measured(
        self, scenario: Scenario, row: Row, samples: Mapping[str, Sequence[Sample]]
    ) -> Measured:
        return Measured(scenario.title, row.name, row.title, row.unit, row.bars, samples)

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


_numbers = itertools.count(1)
_began = time.monotonic()


def say(line: str) -> None:
    """Progress goes to stderr, with minutes and seconds: the table is the output."""
    minutes, seconds = divmod(int(time.monotonic() - _began), 60)
    print(f"{minutes:2}:{seconds:02} {line}", file=sys.stderr, flush=True)
