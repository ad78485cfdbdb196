"""What certificates cost, from samples to docs/cost.md: pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from bench.engines import Cost, Exchange, Setting
from bench.report import cost, table
from pqproxy.tls import NamedGroup

# What the others are held against: no part of it survives a quantum computer.
CLASSICAL_KIND, CLASSICAL_GROUP = "ecdsa-p256", NamedGroup.x25519
HYBRID_KIND, HYBRID_GROUP = "mldsa65-ecdsa-p256", NamedGroup.X25519MLKEM768

PREAMBLE = """\
# What certificates cost

Written by the command below; nothing here is typed by hand. Two engines shake hands within one
process, without sockets, proxying or logs: **CPU** is the processor's time of one side, with the
judgement of its peer's chain and the tickets that follow a handshake. The CPU of a sidecar, of
which this is a part, is in [benchmarks.md](benchmarks.md). **Sent** is what that side puts on the
wire, records included. Each leaf is signed by its root directly; every intermediate would add
about the length of a certificate. **Mutual** handshakes show a certificate of the client too. Both
sides have met before, and know each other's chain for a good one, whose own signatures are not
verified again ([why](adr/0029-good-judgements-are-kept.md)); those of the handshake always are.

Every setting is measured in every round, in turn. Times are the median over the rounds of the mean
of a round; **ratio** is the median of the ratios of each round, because a machine's speed drifts
and a round shares it. Compare within one run only. Making an ML-DSA signature takes a random
number of tries: its times vary from round to round however quiet the machine is.
"""
FULL = """\
Certificates are shown and verified. **Ratio** is by the handshake without post-quantum
cryptography: X25519 and ECDSA P-256, with the same library, as one-way or as mutual.
"""
HYBRID = """\
Each part of a full handshake alone, and both: how many times the CPU, and how many bytes more. A
classical key exchange gets no tickets, which is part of the difference.
"""
NEEDED = """\
Of a full handshake with ECDSA P-256 and X25519MLKEM768, what the key exchange and the signatures
take by themselves, called one after another. The rest is messages, key schedule and records,
nearly all of it Python: about 1,000 calls on each side.
"""
RESUMED = """\
A ticket stands for the certificates; the key exchange is a fresh one. **Ratio** is by the full
handshake with the same certificates.
"""

NEEDED_HEADS = ("", "server: CPU", "needed", "", "client: CPU", "needed", "")
HYBRID_HEADS = ("", "", "server: CPU", "client: CPU", "server sends", "client sends")
HEADS = (
    "certificates",
    "length",
    "group",
    "",
    "server: CPU",
    "ratio",
    "client: CPU",
    "ratio",
    "server sent",
    "client sent",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """All rounds of one setting, in their order."""

    setting: Setting
    certificate_length: int
    full: Sequence[Exchange]
    resumed: Sequence[Exchange]  # empty where no tickets are given


@dataclass(frozen=True, slots=True)
class Needed:
    """What the cryptography of a handshake takes by itself, in CPU seconds, round by round."""

    mutual: bool
    server: list[float]
    client: list[float]


@dataclass(frozen=True, slots=True)
class Results:
    """Everything one run found."""

    command: str
    date: str
    machine: Mapping[str, str]
    handshakes: int  # of each kind in each round
    rounds: int
    measured: Sequence[Measured]
    skipped: Mapping[str, str] = field(default_factory=dict)  # what: why
    needed: Sequence[Needed] = ()


def mean(exchanges: Sequence[Exchange]) -> Exchange:
    """One round: the mean of each figure."""
    return Exchange(
        _mean([each.client for each in exchanges]), _mean([each.server for each in exchanges])
    )


def _mean(costs: Sequence[Cost]) -> Cost:
    count = len(costs)
    seconds = sum(each.cpu_seconds for each in costs) / count
    return Cost(seconds, round(sum(each.sent for each in costs) / count))


def markdown(results: Results) -> str:
    """The whole page."""
    return "\n\n".join(_sections(results)) + "\n"


def _sections(results: Results) -> Iterator[str]:
    yield PREAMBLE.strip()
    yield f"    {results.command}"
    facts = {"date": results.date, **results.machine}
    facts["rounds"] = f"{results.rounds}, of {results.handshakes} handshakes of each kind"
    facts |= {f"not measured: {what}": why for what, why in results.skipped.items()}
    yield table(("", ""), facts.items())
    providers = list(dict.fromkeys(row.setting.provider for row in results.measured))
    for provider in providers:
        rows = [row for row in results.measured if row.setting.provider == provider]
        yield f"## What hybrid costs over classical, {provider}"
        yield HYBRID.strip()
        yield table(HYBRID_HEADS, _hybrid(rows))
        yield f"## Full handshakes, {provider}"
        yield FULL.strip()
        yield table(HEADS, [_cells(row, row.full, classical(row, rows)) for row in rows])
        if provider == "openssl" and results.needed:
            yield "## How much of that is cryptography"
            yield NEEDED.strip()
            yield table(NEEDED_HEADS, [_needed_cells(each, rows) for each in results.needed])
        yield f"## Resumed handshakes, {provider}"
        yield RESUMED.strip()
        yield table(HEADS, [_cells(row, row.resumed, row.full) for row in rows if row.resumed])


def classical(row: Measured, rows: Sequence[Measured]) -> Sequence[Exchange]:
    """The rounds of the handshake that a row is held against."""
    return _rounds(rows, CLASSICAL_KIND, CLASSICAL_GROUP, row.setting.mutual)


def _rounds(
    rows: Sequence[Measured], kind: str, group: NamedGroup, mutual: bool
) -> Sequence[Exchange]:
    """Those of the full handshakes of a setting; none where it was not measured."""
    for row in rows:
        setting = row.setting
        if (setting.kind.name, setting.group, setting.mutual) == (kind, group, mutual):
            return row.full
    return ()


def _hybrid(rows: Sequence[Measured]) -> Iterator[list[str]]:
    classical_key, hybrid_key = CLASSICAL_GROUP, HYBRID_GROUP
    for title, (kind, group), (other_kind, other_group) in (
        ("key exchange", (CLASSICAL_KIND, hybrid_key), (CLASSICAL_KIND, classical_key)),
        ("certificates", (HYBRID_KIND, hybrid_key), (CLASSICAL_KIND, hybrid_key)),
        ("both", (HYBRID_KIND, hybrid_key), (CLASSICAL_KIND, classical_key)),
    ):
        for mutual in (False, True):
            ours = _rounds(rows, kind, group, mutual)
            others = _rounds(rows, other_kind, other_group, mutual)
            if ours and others:
                yield [title, _mode(mutual), *_more(ours, others)]


def _more(ours: Sequence[Exchange], others: Sequence[Exchange]) -> Iterator[str]:
    for side in (_server, _client):
        yield _times(ratio(ours, others, side))
    for side in (_server, _client):
        yield f"+{_sent(ours, side) - _sent(others, side):,} B"


def _cells(row: Measured, ours: Sequence[Exchange], others: Sequence[Exchange]) -> list[str]:
    setting = row.setting
    cells = [
        setting.kind.title,
        f"{row.certificate_length:,} B",
        setting.group.name,
        _mode(setting.mutual),
    ]
    for side in (_server, _client):
        seconds = median(side(exchange).cpu_seconds for exchange in ours)
        cells += [cost(seconds), _times(ratio(ours, others, side))]
    return [*cells, *(f"{_sent(ours, side):,} B" for side in (_server, _client))]


def _needed_cells(needed: Needed, rows: Sequence[Measured]) -> list[str]:
    full = _rounds(rows, CLASSICAL_KIND, HYBRID_GROUP, needed.mutual)
    cells = [_mode(needed.mutual)]
    for side, alone in ((_server, needed.server), (_client, needed.client)):
        whole = [side(exchange).cpu_seconds for exchange in full]
        parts = [part / all_of_it for part, all_of_it in zip(alone, whole, strict=False)]
        cells += [cost(median(whole)), cost(median(alone)), f"**{median(parts):.0%}**"]
    return cells


def _mode(mutual: bool) -> str:
    return "mutual" if mutual else "one-way"


def _sent(rounds: Sequence[Exchange], side: Callable[[Exchange], Cost]) -> int:
    return round(median(side(exchange).sent for exchange in rounds))


def ratio(
    ours: Sequence[Exchange], others: Sequence[Exchange], side: Callable[[Exchange], Cost]
) -> float | None:
    """The median of the ratios of each round; None without the other."""
    pairs = zip(ours, others, strict=False)
    ratios = [side(one).cpu_seconds / side(other).cpu_seconds for one, other in pairs]
    return median(ratios) if ratios else None


def _times(value: float | None) -> str:
    return "" if value is None else f"**{value:.2f}**"


def _server(exchange: Exchange) -> Cost:
    return exchange.server


def _client(exchange: Exchange) -> Cost:
    return exchange.client
