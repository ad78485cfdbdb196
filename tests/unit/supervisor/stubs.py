"""A crew without processes."""

import asyncio

from pqproxy.supervisor.crew import Drained
from pqproxy.supervisor.in_force import InForce
from pqproxy.telemetry.counters import WorkerCounters
from tests.unit.supervisor.harness import settings


class StubWorker:
    pid = 4711
    ready = True
    lag = 0.002
    active = 3
    oldest = 60.0


class StubCrew:
    """What health, control and metrics read, set by the test."""

    def __init__(self, in_force=None):
        self.draining = False
        self.ready = self.serves = True
        self.restarts = 2
        self.workers = [StubWorker()]
        self.counters = WorkerCounters({"llm": "ingress"})
        self.evidence = {}
        self.in_force = InForce(settings() if in_force is None else in_force)
        self.active = 3
        self.oldest = 60.0
        self.all_ended = asyncio.Event()
        self.drained = Drained(finished=3, reset=0)

    def live(self):
        return iter(self.workers)

    def totals(self):
        return self.counters

    async def refresh(self):
        pass

    async def drain(self):
        await self.all_ended.wait()
        return self.drained
