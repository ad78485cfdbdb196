"""`python -m bench [SCENARIO…]`: run scenarios side by side, print the tables, keep the figures.

A SCENARIO is a number, a name, or the name of one row of it (`--list` shows them); without one,
all run. Results go to build/bench/ as Markdown, JSON and SVG; `--publish` also writes
docs/benchmarks.md and docs/benchmarks/.
"""

import argparse
import dataclasses
import json
import shlex
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from bench import certificates, machine, report
from bench.contenders import CONTENDERS, DIRECT
from bench.processes import DidNotStart, allow_many_descriptors
from bench.results import PEERS, Measured, Results
from bench.runner import Runner, say
from bench.scenario import Effort, Scenario
from bench.scenarios import SCENARIOS

BUILD = Path("build/bench")
PUBLISHED = Path("docs/benchmarks.md")
PUBLISHED_FIGURES = Path("docs/benchmarks")
QUICK = Effort(seconds=0.3, gigabytes=0.2, most_idle=200)
ROUNDS, QUICK_ROUNDS = 5, 1


def main() -> int:
    """Run; 0 unless something could not be started, or failed."""
    options = _options()
    if options.list:
        print("\n".join(_listing()))
        return 0
    allow_many_descriptors()
    skipped = _skipped(options.scenarios, options.peers)
    for name, reason in skipped.items():
        say(f"{name} is skipped: {reason}")
    contenders = [name for name in (*CONTENDERS, DIRECT) if name not in skipped]
    effort = QUICK if options.quick else Effort()
    with tempfile.TemporaryDirectory(prefix="pqproxy-bench-") as temporary:
        directory = Path(temporary)
        made = certificates.create(directory)
        runner = Runner(contenders, directory, made, effort, options.rounds)
        measured, whole = _measure(runner, options.scenarios)
    _keep(_results(options, skipped, measured), publish=options.publish and whole)
    return 0 if whole else 1


def _measure(runner: Runner, scenarios: Sequence[Scenario]) -> tuple[list[Measured], bool]:
    """What was measured, in the order of the rows, and whether that is all that was to be."""
    measured: list[Measured] = []
    whole = True
    try:
        for row in runner.run(scenarios):
            measured.append(row)
            whole = whole and not row.failed
    except DidNotStart as failure:
        say(str(failure))
        whole = False
    except KeyboardInterrupt:
        say("broken off: what was measured so far is kept, and not published")
        whole = False
    order = [row.name for scenario in SCENARIOS for row in scenario.rows]
    return sorted(measured, key=lambda row: order.index(row.name)), whole


def selected(words: Sequence[str], *, quick: bool = False) -> list[Scenario]:
    """The scenarios that these words name, cut down to the rows that they name.

    Raises ValueError for a word that names nothing.
    """
    known = {word for each in SCENARIOS for word in _words(each)}
    if unknown := [word for word in words if word not in known]:
        raise ValueError(f"no scenario is called {', '.join(unknown)}")
    found = []
    for scenario in SCENARIOS:
        whole = not words or {str(scenario.number), scenario.name} & set(words)
        rows = tuple(
            row
            for row in scenario.rows
            if row.name in words or (whole and not (quick and row.thorough))
        )
        if rows:
            found.append(dataclasses.replace(scenario, rows=rows))
    return found


def _words(scenario: Scenario) -> list[str]:
    return [str(scenario.number), scenario.name, *(row.name for row in scenario.rows)]


def _listing() -> list[str]:
    return [
        f"{each.number} {each.name}: {' '.join(row.name for row in each.rows)}"
        for each in SCENARIOS
    ]


def _skipped(scenarios: Sequence[Scenario], peers: Sequence[str]) -> dict[str, str]:
    """Who of those that rows name cannot be measured, or is not wanted, and why."""
    named = {name for each in scenarios for row in each.rows for name in row.contenders}
    skipped = {}
    for name, peer in CONTENDERS.items():
        family = name.partition("-")[0]
        if name not in named:
            continue
        if family in PEERS and family not in peers:
            skipped[name] = "not asked for"
        elif (reason := peer.missing()) is not None:
            skipped[name] = reason
    return skipped


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="default: all")
    parser.add_argument("--list", action="store_true", help="show scenarios and their rows")
    parser.add_argument("--rounds", type=int, help=f"how often each is measured: {ROUNDS}")
    parser.add_argument("--quick", action="store_true", help="one short round, for a first look")
    parser.add_argument(
        "--peers", type=_peers, default=PEERS, help=f"comma-separated; default: {','.join(PEERS)}"
    )
    parser.add_argument("--publish", action="store_true", help=f"write {PUBLISHED}")
    options = parser.parse_args()
    try:
        options.scenarios = selected(options.scenarios, quick=options.quick)
    except ValueError as error:
        parser.error(f"{error}; --list shows them")
    if options.rounds is None:
        options.rounds = QUICK_ROUNDS if options.quick else ROUNDS
    return options


def _peers(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    if unknown := [name for name in names if name not in PEERS]:
        raise argparse.ArgumentTypeError(f"no peer is called {', '.join(unknown)}")
    return names


def _results(
    options: argparse.Namespace, skipped: dict[str, str], measured: list[Measured]
) -> Results:
    took_part = dict.fromkeys(name for row in measured for name in row.samples)
    return Results(
        command=shlex.join(["python", "-m", "bench", *sys.argv[1:]]),
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        machine=machine.describe(),
        versions={name: CONTENDERS[name].version() for name in took_part if name != DIRECT},
        skipped=skipped,
        rounds=options.rounds,
        measured=measured,
        about={scenario.title: scenario.about for scenario in SCENARIOS},
    )


def _keep(results: Results, *, publish: bool) -> None:
    """Everything into build/bench, and where it is published as well."""
    BUILD.mkdir(parents=True, exist_ok=True)
    drawn = _draw(results, BUILD)
    (BUILD / "results.md").write_text(report.markdown(results, "." if drawn else None))
    _write_json(results, BUILD)
    say(f"kept in {BUILD}")
    if publish:
        PUBLISHED_FIGURES.mkdir(exist_ok=True)
        drawn = _draw(results, PUBLISHED_FIGURES)
        pictures = PUBLISHED_FIGURES.name if drawn else None
        PUBLISHED.write_text(report.markdown(results, pictures))
        _write_json(results, PUBLISHED_FIGURES)
        say(f"published in {PUBLISHED} and {PUBLISHED_FIGURES}")
    print(report.markdown(results, None))


def _write_json(results: Results, directory: Path) -> None:
    (directory / "results.json").write_text(json.dumps(asdict(results), indent=1) + "\n")


def _draw(results: Results, directory: Path) -> bool:
    """Whether there are pictures: they need a library that figures do not."""
    try:
        from bench import plots
    except ImportError:
        say("no pictures: pip install 'pqproxy[bench]'")
        return False
    for old in directory.glob("*.svg"):
        old.unlink()
    plots.draw(results, directory)
    return True


if __name__ == "__main__":
    sys.exit(main())
