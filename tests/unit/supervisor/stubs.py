"""A crew without processes."""

from pqproxy.supervisor.in_force import InForce
from pqproxy.telemetry.counters import WorkerCounters
from tests.unit.supervisor.harness import settings


class StubWorker:
    pid = 4711
    ready = True
    lag = 0.002


class StubCrew:
    """What health, control and metrics read, set by the test."""

    def __init__(self, in_force=None):
        self.draining = False
        self.ready = True
        self.restarts = 2
        self.workers = [StubWorker()]
        self.counters = WorkerCounters({"llm": "ingress"})
        self.evidence = {}
        self.in_force = InForce(settings() if in_force is None else in_force)

    def live(self):
        return iter(self.workers)

    def totals(self):
        return self.counters

    async def refresh(self):
        pass
