"""Results as Markdown, for a terminal and for docs/benchmarks.md."""

from collections.abc import Iterable, Iterator, Sequence

from bench.results import OURS, REFERENCE, Measured, Memory, Results

# What pqproxy's own processes may take, in bytes.
MEMORY_BARS = {"supervisor": 60e6, "worker": 45e6}
IDLE_CONNECTION_BAR = 20e3

PREAMBLE = """\
# Benchmarks

Written by the command below; nothing here is typed by hand. A pair is an egress and an ingress
with TLS 1.3 and X25519MLKEM768 between them, both with certificates (ECDSA P-256), one worker
each. **CPU** is what all processes of the pair used, supervisors included, by the kernel's
count, divided by what was done; wall-clock figures stand beside it. For full handshakes only the
server's side is counted, from accept to close. Every peer is measured in every round, in turn;
**ratio** is the median of the ratios of each round, because a machine's speed drifts and a round
shares it. Compare within one run only.

Envoy runs as a TCP proxy without access log and without session tickets; its TLS library prefers
AES-128-GCM where pqproxy prefers AES-256-GCM and pads small records. How the interpreter was built
matters for small records: one with profile-guided optimisation needs about a fifth less CPU for
them than one without.
"""


def markdown(results: Results) -> str:
    """The whole page."""
    return "\n\n".join(_sections(results)) + "\n"


def _sections(results: Results) -> Iterator[str]:
    yield PREAMBLE.strip()
    yield f"    {results.command}"
    yield _facts(results)
    if results.measured:
        yield "## CPU"
        yield _cpu_table(results.measured, [*results.versions])
    if results.memory:
        yield "## Memory"
        yield "Proportional set size after traffic; idle connections are open ones, handshake done."
        yield _memory_table(results)


def _facts(results: Results) -> str:
    facts = {"date": results.date, **results.machine, "rounds": str(results.rounds)}
    facts |= {f"measured: {name}": version for name, version in results.versions.items()}
    facts |= {f"skipped: {name}": reason for name, reason in results.skipped.items()}
    return table(("", ""), facts.items())


def _cpu_table(measured: Sequence[Measured], peers: Sequence[str]) -> str:
    heads = ["work", *(f"{peer}: CPU, rate" for peer in peers), "ratio (each round)", "bar", ""]
    return table(heads, (_cpu_row(row, peers) for row in measured))


def _cpu_row(row: Measured, peers: Sequence[str]) -> list[str]:
    ratio = row.ratio()
    cells = [f"{cost(row.cost(peer))}/{row.unit}, {rate(row.rate(peer))}/s" for peer in peers]
    if ratio is None:
        return [row.title, *cells, f"no {REFERENCE}", "", ""]
    each = ", ".join(f"{one:.2f}" for one in row.ratios())
    return [
        row.title,
        *cells,
        f"**{ratio:.2f}** ({each})",
        f"≤ {row.bar:g}",
        verdict(ratio, row.bar),
    ]


def _memory_table(results: Results) -> str:
    rows = (
        cells
        for peer, sides in results.memory.items()
        for side in sides
        for cells in _memory_rows(peer, side)
    )
    return table(("peer", "side", "what", "size", "bar", ""), rows)


def _memory_rows(peer: str, side: Memory) -> Iterator[list[str]]:
    idle = f"one idle connection of {side.idle_connections}"
    figures = [(name, size, MEMORY_BARS.get(name)) for name, size in side.processes.items()]
    figures.append((idle, side.per_idle_connection, IDLE_CONNECTION_BAR))
    for what, size, bar in figures:
        if peer != OURS or bar is None:
            yield [peer, side.role, what, bytes_(size), "", ""]
        else:
            yield [peer, side.role, what, bytes_(size), f"≤ {bytes_(bar)}", verdict(size, bar)]


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def verdict(value: float, bar: float) -> str:
    """Whether a bar holds."""
    return "holds" if value <= bar else "**missed**"


def cost(seconds: float) -> str:
    """CPU time in a unit that a person reads."""
    if seconds >= 0.1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e6:.1f} us" if seconds < 1e-3 else f"{seconds * 1e3:.2f} ms"


def rate(per_second: float) -> str:
    """Units per second."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.2f}"


def bytes_(count: float) -> str:
    """A size in MB or KB (powers of ten)."""
    return f"{count / 1e6:.1f} MB" if abs(count) >= 1e6 else f"{count / 1e3:.1f} KB"
