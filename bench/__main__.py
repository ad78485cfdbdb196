"""`python -m bench`: run the scenarios, print the table, keep the figures.

Results go to build/bench/ as JSON and Markdown; `--publish` also writes docs/benchmarks.md.
"""

import argparse
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import certificates, machine, report
from bench.envoy import Envoy
from bench.gate import LoadFailed
from bench.pair import Pair, Peer, running
from bench.processes import DidNotStart, allow_many_descriptors
from bench.results import Measured, Memory, Results, Sample
from bench.scenarios import SCENARIOS, Effort, Scenario, measure_memory
from bench.sidecars import Sidecars

PEERS: tuple[Peer, ...] = (Sidecars(), Envoy())
MEMORY = "memory"
BUILD = Path("build/bench")
PUBLISHED = Path("docs/benchmarks.md")
QUICK = Effort(seconds=1.0, gigabytes=0.5, idle_connections=200)


def main() -> int:
    """Run; 0 unless something could not be started."""
    options = _options()
    allow_many_descriptors()
    peers = [peer for peer in PEERS if peer.name in options.peers]
    skipped = {peer.name: reason for peer in peers if (reason := peer.missing()) is not None}
    present = [peer for peer in peers if peer.name not in skipped]
    for name, reason in skipped.items():
        say(f"{name} is skipped: {reason}")
    effort = QUICK if options.quick else Effort()
    with tempfile.TemporaryDirectory(prefix="pqproxy-bench-") as directory:
        bench = Bench(present, Path(directory), effort, options.rounds)
        try:
            measured = bench.measure([row for row in SCENARIOS if row.name in options.only])
            memory = bench.measure_memory() if MEMORY in options.only else {}
        except (DidNotStart, LoadFailed) as failure:
            say(str(failure))
            return 1
    results = Results(
        command=shlex.join(["python", "-m", "bench", *sys.argv[1:]]),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine.describe(),
        versions={peer.name: peer.version() for peer in present},
        skipped=skipped,
        rounds=options.rounds,
        measured=measured,
        memory=memory,
    )
    _keep(results, publish=options.publish)
    return 0


class Bench:
    """Runs every scenario for every peer, in turn."""

    def __init__(self, peers: Sequence[Peer], directory: Path, effort: Effort, rounds: int) -> None:
        self._peers, self._directory, self._effort = peers, directory, effort
        self._rounds = rounds
        self._certificates = certificates.create(directory)

    def measure(self, scenarios: Sequence[Scenario]) -> list[Measured]:
        """CPU: all pairs are up the whole time, the one that has no work costs nothing."""
        if not scenarios:
            return []
        with ExitStack() as stack:
            pairs = {peer.name: stack.enter_context(self._pair(peer)) for peer in self._peers}
            return [self._rounds_of(scenario, pairs) for scenario in scenarios]

    def measure_memory(self) -> dict[str, list[Memory]]:
        """Memory: one pair at a time, fresh, so that no other shares its pages."""
        figures = {}
        for peer in self._peers:
            say(f"memory: {peer.name}")
            with self._pair(peer, "memory") as pair:
                figures[peer.name] = measure_memory(pair, self._effort)
        return figures

    def _pair(self, peer: Peer, suffix: str = "cpu"):
        return running(peer, self._directory / f"{peer.name}-{suffix}", self._certificates)

    def _rounds_of(self, scenario: Scenario, pairs: dict[str, Pair]) -> Measured:
        samples: dict[str, list[Sample]] = {name: [] for name in pairs}
        for number in range(self._rounds):
            # Every other round in reverse, so that none always has the warmer machine.
            for name in list(pairs)[:: -1 if number % 2 else 1]:
                sample = scenario.measure(pairs[name], self._effort)
                samples[name].append(sample)
                say(
                    f"{scenario.title}: round {number + 1}/{self._rounds}: {name}: "
                    f"{report.cost(sample.cost)} CPU/{scenario.unit}, "
                    f"{report.rate(sample.rate)}/s"
                )
        return Measured(scenario.title, scenario.unit, scenario.bar, samples)


def _options() -> argparse.Namespace:
    names = [*(scenario.name for scenario in SCENARIOS), MEMORY]
    peers = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured")
    parser.add_argument("--quick", action="store_true", help="short rounds, for a first look")
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="SCENARIO")
    parser.add_argument("--peers", nargs="+", choices=peers, default=peers, metavar="PEER")
    parser.add_argument("--publish", action="store_true", help=f"write {PUBLISHED}")
    return parser.parse_args()


def _keep(results: Results, *, publish: bool) -> None:
    page = report.markdown(results)
    BUILD.mkdir(parents=True, exist_ok=True)
    (BUILD / "results.json").write_text(json.dumps(asdict(results), indent=2) + "\n")
    (BUILD / "results.md").write_text(page)
    if publish:
        PUBLISHED.write_text(page)
    print(page)
    say(f"kept in {BUILD}/results.json and results.md")


def say(line: str) -> None:
    """Progress goes to stderr: the table is the output."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
