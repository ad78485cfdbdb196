"""Results as Markdown, for a terminal and for docs/benchmarks.md."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from bench.figures import Metric, Sample
from bench.results import BEST, OURS, Bar, Judgement, Measured, Results

PREAMBLE = """\
# Benchmarks

Written by the command below; nothing here is typed by hand. A pair is an egress and an ingress
with TLS 1.3 between them, both with certificates (ECDSA P-256), one worker each. **CPU** is what
all processes of the pair used, supervisors included, by the kernel's count, divided by what was
done; wall-clock figures stand beside it, and what the load generator itself used. Every contender
is measured in every round, in turn; figures are medians over the rounds. A **ratio** is the median
of the ratios of each round, because a machine's speed drifts and a round shares it; it is to the
peer that needs least. Compare within one run only.

The bars are what pqproxy demands of itself; below them is everything that was measured. Clocks are
those of a machine that others may use, too: a ratio moves by a tenth from run to run. Both sides of
a pair share one core. Where it is full, a rate is what fits into it, and times are those of a
queue: look at the rates before anything else.

**pqproxy** carries all clients over tunnels; **pqproxy-never** makes a TLS connection for each
client connection, as the peers do. The peers run as TCP proxies, without access log, and without
session tickets but where resumption is measured, otherwise as their defaults are; a number at the
end of a name counts workers. Envoy's key exchange is X25519MLKEM768, as pqproxy's; its TLS library
prefers AES-128-GCM where pqproxy prefers AES-256-GCM and pads small records. nginx and HAProxy are
Debian's, with OpenSSL 3.0, which knows no post-quantum key exchange: X25519, an unfair advantage of
theirs wherever handshakes count. The **floor** is a pair of plain relays written in Python, without
TLS, one connection between them for each client; **direct** is no pair at all. Bytes on the wire
are TCP's payload, of both directions, with all that one new client connection needs. How the
interpreter was built matters for small records: one with profile-guided optimisation needs about a
fifth less CPU for them than one without.
"""


def markdown(results: Results, pictures_in: str | None = None) -> str:
    """The whole page, with the pictures of a directory that is named relative to it."""
    return "\n\n".join(_sections(results, pictures_in)) + "\n"


def _sections(results: Results, pictures_in: str | None) -> Iterator[str]:
    yield PREAMBLE.strip()
    yield f"    {results.command}"
    yield _facts(results)
    yield "## Bars"
    yield table(
        ("", "work", "bar", "measured", "each round", ""),
        (_bar_row(row, bar) for row in results.measured for bar in row.bars),
    )
    if pictures_in is not None:
        yield f"![ratios]({pictures_in}/bars.svg)"
    for title in dict.fromkeys(row.scenario for row in results.measured):
        yield f"## {title}"
        if about := results.about.get(title):
            yield about.strip()
        rows = [row for row in results.measured if row.scenario == title]
        for row in rows:
            yield f"### {row.title}"
            yield _figures(row)
            yield from (f"{name} failed: {reason}" for name, reason in row.failed.items())
        if pictures_in is not None:
            yield "\n".join(f"![{name}]({pictures_in}/{name}.svg)" for name in pictures(rows))


def pictures(rows: Sequence[Measured]) -> list[str]:
    """Names of the pictures of one scenario, without the suffix."""
    kinds = dict.fromkeys(kind for row in rows for kind in distributed(row))
    return [f"{slug(rows[0].scenario)}-{slug(what)}" for what in ("needs", *kinds)]


def slug(title: str) -> str:
    """A title as part of a file's name."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def distributed(row: Measured) -> dict[str, None]:
    """The kinds of distributions that a row has."""
    samples = (sample for samples in row.samples.values() for sample in samples)
    return dict.fromkeys(kind for sample in samples for kind in sample.distributions)


def _facts(results: Results) -> str:
    facts = {"date": results.date, **results.machine, "rounds": str(results.rounds)}
    facts |= {f"measured: {name}": version for name, version in results.versions.items()}
    facts |= {f"skipped: {name}": reason for name, reason in results.skipped.items()}
    return table(("", ""), facts.items())


def _bar_row(row: Measured, bar: Bar) -> list[str]:
    subject = "" if bar.subject == OURS else f"{bar.subject}: "
    cells = [row.scenario, row.title, subject + demand(bar, row.unit)]
    if (judgement := row.judge(bar)) is None:
        return [*cells, bar.unfit or "not measured", "", ""]
    form = _form(bar)
    value = f"**{form(judgement.value)}**"
    if bar.against is not None:
        value += f" of {judgement.against}" if not bar.difference else f" over {judgement.against}"
    each = ", ".join(form(one) for one in judgement.rounds)
    return [*cells, value, each, verdict(judgement)]


def demand(bar: Bar, unit: str) -> str:
    """A bar in words."""
    sign = "≥" if bar.at_least else "≤"
    title = TITLES[bar.metric].format(unit=unit)
    limit = _form(bar)(bar.limit)
    if bar.difference:
        return f"{title} {sign} {limit} over {bar.against}"
    times = {None: "", BEST: "x"}.get(bar.against, f"x {bar.against}")
    return f"{title} {sign} {limit}{times}"


def _form(bar: Bar) -> Callable[[float], str]:
    if bar.against is None or bar.difference:
        return FORMS[bar.metric]
    return "{:.2f}".format


def _figures(row: Measured) -> str:
    taken = [
        metric
        for metric in Metric
        if any(row.median(name, metric) is not None for name in row.samples)
    ]
    heads = ["", *(TITLES[metric].format(unit=row.unit) for metric in taken)]
    lines = []
    for name in row.samples:
        medians = {metric: row.median(name, metric) for metric in taken}
        cells = ["" if value is None else FORMS[metric](value) for metric, value in medians.items()]
        lines.append([name, *cells])
    return table(heads, lines)


def progress(sample: Sample, unit: str) -> str:
    """One line of what was found, as it is found."""
    shown = (Metric.CPU, Metric.RATE, Metric.P50, Metric.P99)
    found = [metric for metric in sample.figures if metric in shown] or sample.figures
    return ", ".join(
        f"{TITLES[metric].format(unit=unit)} {FORMS[metric](sample.figures[metric])}"
        for metric in found
    )


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def verdict(judgement: Judgement) -> str:
    """Whether a bar holds."""
    return "holds" if judgement.holds else "**missed**"


def cost(seconds: float) -> str:
    """A time in a unit that a person reads."""
    if abs(seconds) >= 0.1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e6:.1f} us" if abs(seconds) < 1e-3 else f"{seconds * 1e3:.2f} ms"


def rate(per_second: float) -> str:
    """Units per second."""
    return f"{per_second:,.0f}" if per_second >= 100 else f"{per_second:.2f}"


def bytes_(count: float) -> str:
    """A size in MB or KB (powers of ten)."""
    return f"{count / 1e6:.1f} MB" if abs(count) >= 1e6 else f"{count / 1e3:.1f} KB"


def percent(value: float) -> str:
    """A part of a hundred, with the digits that tell framings apart."""
    return f"{value:.2f} %"


TITLES: Mapping[Metric, str] = {
    Metric.CPU: "CPU/{unit}",
    Metric.EGRESS_CPU: "egress",
    Metric.INGRESS_CPU: "ingress",
    Metric.CLIENT_CPU: "client",
    Metric.RATE: "{unit}/s",
    Metric.P50: "p50",
    Metric.P99: "p99",
    Metric.GAP_P50: "gap p50",
    Metric.GAP_P99: "gap p99",
    Metric.FIRST_P50: "first token p50",
    Metric.FIRST_P99: "first token p99",
    Metric.WIRE: "wire overhead",
    Metric.CONNECTIONS: "{unit}s",
    Metric.EGRESS_MEMORY: "egress, each",
    Metric.INGRESS_MEMORY: "ingress, each",
    Metric.SUPERVISOR: "supervisor",
    Metric.WORKER: "worker",
    Metric.LEAST_SHARE: "least share",
    Metric.MOST_SHARE: "greatest share",
}
FORMS: Mapping[Metric, Callable[[float], str]] = {
    Metric.RATE: rate,
    Metric.WIRE: percent,
    Metric.LEAST_SHARE: percent,
    Metric.MOST_SHARE: percent,
    Metric.CONNECTIONS: "{:,.0f}".format,
    Metric.EGRESS_MEMORY: bytes_,
    Metric.INGRESS_MEMORY: bytes_,
    Metric.SUPERVISOR: bytes_,
    Metric.WORKER: bytes_,
}
FORMS = {metric: FORMS.get(metric, cost) for metric in Metric}
