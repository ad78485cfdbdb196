"""The metrics, read from one scrape of an instance that serves nothing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pqproxy.config.values import Settings
from pqproxy.supervisor.metrics import Exposition
from pqproxy.telemetry.counters import WorkerCounters
from reference.markdown import code, table


@dataclass
class _Nobody:
    """What Exposition asks of a crew, of one without workers and listeners."""

    draining: bool = False
    ready: bool = True
    restarts: int = 0
    workers: list[Any] = field(default_factory=list)

    def totals(self) -> WorkerCounters:
        return WorkerCounters({})


def metrics() -> Iterator[str]:
    """A table of every family that is exposed."""
    settings = Settings(identities=(), trust=(), ingress=(), egress=())
    exposition = Exposition(settings, _Nobody(), ())  # type: ignore[arg-type] # as much of a crew as it needs
    rows = (
        (code(_exposed(family)), family.type, _labels(family), family.documentation)
        for family in exposition.collect()
    )
    yield from table(("metric", "type", "labels", ""), rows)


def _exposed(family: Any) -> str:
    return f"{family.name}_total" if family.type == "counter" else str(family.name)


def _labels(family: Any) -> str:
    # prometheus_client keeps the names of labels to itself; a sample would show them.
    return ", ".join(code(name) for name in family._labelnames)
