"""`python -m bench.overload`: what crowds at the door do to those who are inside.

Token streams are watched while it is quiet, with the crowd, and when it is quiet again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench import certificates, machine, report
from bench.gate import Load
from bench.pair import GROUP, Pair, running
from bench.processes import (
    LOAD_CORE,
    allow_many_descriptors,
    free_port,
    module,
    server,
)
from bench.procfs import process_tree, pss
from bench.results import Gaps
from bench.sidecars import Sidecars

PREAMBLE = """\
# Overload

Written by `python -m bench.overload --publish`. Token streams run through a pair while it is
quiet, while a crowd is there, and when it is quiet again: at the door of the ingress, or among the
clients of the egress, in the same tunnels as the streams. The figures are gaps between tokens, as
the clients saw them, and the memory of the two workers. Streams that go straight to the server show
what of it the machine itself does: crowd, clients and server share one core, the pair has the
other.
"""

PUBLISHED = Path("docs/overload.md")
SECONDS = 6.0
STORM, STRANGERS = "a storm of full handshakes", "2000 silent, garbage and half-hello connections"
STALLED = "1000 clients that ask for a megabyte each and stop reading"


class Watch:
    """Token streams through one port."""

    def __init__(self, stack: ExitStack, port: int, count: int, interval_ms: int) -> None:
        watch = _spoken_to("bench.gaps", port, count, interval_ms)
        self._process = stack.enter_context(watch)

    def ask(self, seconds: float) -> None:
        self._process.stdin.write(f"{seconds}\n")
        self._process.stdin.flush()

    def answer(self) -> Gaps:
        return Gaps(**json.loads(self._process.stdout.readline()))


@contextmanager
def _spoken_to(name: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """A process that said it is ready, told to leave by the end of its stdin. Raises SystemExit."""
    process = subprocess.Popen(
        ["taskset", "-c", str(LOAD_CORE), *module(name, *arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        if process.stdout.readline().strip() != "ready":
            raise SystemExit(f"{name} did not get ready")
        yield process
    finally:
        process.stdin.close()
        status = process.wait()
        process.stdout.close()
    if status:
        raise SystemExit(f"{name} failed")


@contextmanager
def storm(pair: Pair) -> Iterator[None]:
    """Full handshakes, as fast as the ingress takes them."""
    arguments = ["full", pair.plan.anonymous, 3600, GROUP, pair.plan.certificates.root]
    with Load("bench.handshakes", arguments) as load:
        load.begin()
        yield
        load.end()


@contextmanager
def strangers(pair: Pair) -> Iterator[None]:
    """Connections that bring nothing."""
    with _spoken_to("bench.strangers", pair.plan.anonymous, 2000):
        yield


@contextmanager
def stalled(pair: Pair) -> Iterator[None]:
    """Clients whose answers wait for them, all along the way."""
    with _spoken_to("bench.stalled", pair.plan.entry, 1000):
        yield


def measure(crowd, streams: int, interval_ms: int) -> list[list[str]]:
    """The rows of one crowd."""
    with tempfile.TemporaryDirectory(prefix="pqproxy-bench-") as directory, ExitStack() as stack:
        pair = stack.enter_context(_running(Path(directory)))
        through = Watch(stack, pair.plan.entry, streams, interval_ms)
        direct = Watch(stack, pair.plan.backend, streams, interval_ms)
        rows = []
        for name in ("quiet", "crowd", "quiet again"):
            with crowd(pair) if name == "crowd" else ExitStack():
                found = []
                for watch in (through, direct):  # one after the other: they share a core
                    watch.ask(SECONDS)
                    found.append(watch.answer())
                memory = [pss(process_tree(side)[1].pid) for side in (pair.egress, pair.ingress)]
            cells = [f"{gaps.p50:.2f}, {gaps.p99:.2f}, {gaps.worst:.1f} ms" for gaps in found]
            rows.append([name, *cells, *map(report.bytes_, memory)])
    return rows


@contextmanager
def _running(directory: Path) -> Iterator[Pair]:
    backend = free_port()
    tokens = module("bench.tokens", backend)
    log = directory / "backend.log"
    with (
        server(tokens, cores=[LOAD_CORE], ports=[backend], log=log),
        running(Sidecars(), directory / "pair", certificates.create(directory), backend) as pair,
    ):
        yield pair


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--publish", action="store_true", help=f"write {PUBLISHED}")
    options = parser.parse_args()
    allow_many_descriptors()
    heads = ["", "through the pair: p50, p99, worst gap", "direct", "egress", "ingress"]
    sections = [
        PREAMBLE.strip(),
        report.table(("", ""), machine.describe().items()),
    ]
    for title, crowd, streams, interval in (
        (f"200 streams, a token each 50 ms, beside {STORM}", storm, 200, 50),
        (f"50 streams, a token each 20 ms, beside {STRANGERS}", strangers, 50, 20),
        (f"50 streams, a token each 20 ms, beside {STALLED}", stalled, 50, 20),
    ):
        sections += [f"## {title}", report.table(heads, measure(crowd, streams, interval))]
        print("\n\n".join(sections[-2:]), file=sys.stderr, flush=True)
    page = "\n\n".join(sections) + "\n"
    print(page)
    if options.publish:
        PUBLISHED.write_text(page)


if __name__ == "__main__":
    main()
