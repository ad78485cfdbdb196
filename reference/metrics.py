"""The metrics, read from one scrape of an instance that serves nothing."""

from collections.abc import Iterator
from typing import Any

from pqproxy.config.values import Settings
from pqproxy.supervisor.in_force import InForce
from pqproxy.supervisor.metrics import Exposition
from pqproxy.supervisor.reloading import History
from pqproxy.telemetry.counters import WorkerCounters
from reference.markdown import code, table


class _Nobody:
    """What Exposition asks of a crew, of one without workers and listeners."""

    draining, restarts = False, 0
    in_force = InForce(Settings(identities=(), trust=(), ingress=(), egress=()))
    workers: tuple[Any, ...] = ()

    def totals(self) -> WorkerCounters:
        return WorkerCounters({})


def metrics() -> Iterator[str]:
    """A table of every family that is exposed."""
    exposition = Exposition(_Nobody(), History(0.0))  # type: ignore[arg-type] # as much of a crew as it needs
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
