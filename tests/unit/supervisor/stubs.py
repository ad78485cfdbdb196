"""A crew without processes."""

from pqproxy.telemetry.counters import WorkerCounters


class StubWorker:
    pid = 4711
    ready = True
    lag = 0.002


class StubCrew:
    """What health, control and metrics read, set by the test."""

    def __init__(self):
        self.draining = False
        self.ready = True
        self.restarts = 2
        self.workers = [StubWorker()]
        self.counters = WorkerCounters({"llm": "ingress"})
        self.evidence = {}

    def live(self):
        return iter(self.workers)

    def totals(self):
        return self.counters

    async def refresh(self):
        pass
