"""The workers of one run: started, counted, replaced when they die, drained at the end."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pqproxy.config.upstreams import upstreams
from pqproxy.landlock import landlock_abi
from pqproxy.proxy.channel import WorkerStart
from pqproxy.supervisor.binding import Bound
from pqproxy.supervisor.crash_log import crash_line, how_it_ended
from pqproxy.supervisor.errors import StartFailure
from pqproxy.supervisor.in_force import InForce
from pqproxy.supervisor.ticket_keys import TICKET_KEY_PERIOD, TicketKeyRing
from pqproxy.supervisor.worker import EXIT_GRACE, WORKER_MODULE, WorkerProcess
from pqproxy.telemetry.counters import WorkerCounters
from pqproxy.telemetry.evidence import Evidence, add_evidence
from pqproxy.telemetry.log import stderr_is_terminal
from pqproxy.telemetry.reasons import EndReason

logger = logging.getLogger(__name__)

_FIRST_COVER = 1 << 32  # numbers of handovers; below are those of reloads
REPORT_PERIOD = 1.0  # a worker that is killed loses at most this much of its counts
STUCK = 2.0  # seconds without an answer, after which others accept for a worker


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that the supervisor waits; tests wait less."""

    start: float = 30.0
    first_pause: float = 0.1  # before a dead worker is replaced; doubles while it keeps dying
    longest_pause: float = 10.0
    answer: float = 0.25  # for fresh counters, when somebody scrapes
    change: float = 10.0  # for a worker to get ready for other settings
    hung: int = 20  # unanswered rounds of reports, then a worker is replaced


@dataclass(frozen=True, slots=True)
class Drained:
    """What became of the connections that were open when we were told to go."""

    finished: int
    reset: int

    def __str__(self) -> str:
        if self.reset:
            what = "connection was" if self.reset == 1 else "connections were"
            return f"drain was forced: {self.reset} {what} reset"
        return f"drained: nothing was reset, {self.finished} connections finished"


class Crew:
    """All workers together, seen as one."""

    def __init__(
        self,
        in_force: InForce,
        bound: Bound,
        *,
        module: str = WORKER_MODULE,
        patience: Patience = Patience(),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.in_force = in_force
        self.restarts = 0
        self.draining = False  # whether new connections should go elsewhere
        self.evidence: dict[str, Evidence] = {}  # by listener
        self.workers: list[WorkerProcess | None] = [None] * in_force.settings.workers
        self.relieved: list[WorkerProcess] = []  # who serve the connections that they have
        self.patience = patience
        self.changing = asyncio.Lock()  # held while no worker may be started
        self._bound = bound
        self._module = module
        self._clock = clock
        self._bank = WorkerCounters({})  # what dead workers had counted
        self.ticket_keys = TicketKeyRing()
        self._started = asyncio.Event()
        self._leaving = asyncio.Event()
        self._cut = asyncio.Event()  # the drain is to end now
        self._covers = itertools.count(_FIRST_COVER)

    @property
    def ready(self) -> bool:
        """Whether every worker accepts connections."""
        return all(worker is not None and worker.ready for worker in self.workers)

    @property
    def serves(self) -> bool:
        """Whether connections are accepted at every port: one worker can do that for all.

        At the start it takes all of them, so that a worker that cannot start is no success.
        """
        return self._started.is_set() and any(w is not None and w.ready for w in self.workers)

    @property
    def active(self) -> int:
        """Connections that are open, by the newest reports."""
        return sum(worker.active for worker in self.live())

    @property
    def oldest(self) -> float | None:
        """Seconds since the oldest open connection came, by the newest reports."""
        return max((one.oldest for one in self.live() if one.oldest is not None), default=None)

    def live(self) -> Iterator[WorkerProcess]:
        """The workers that run, relieved ones too."""
        return (worker for worker in (*self.workers, *self.relieved) if worker is not None)

    def totals(self) -> WorkerCounters:
        """The sums over all workers, dead ones included: they never go down."""
        totals = WorkerCounters(self.in_force.roles)
        totals.merge(self._bank.snapshot())
        for worker in self.live():
            totals.merge(worker.counters.snapshot())
        return totals

    async def refresh(self) -> None:
        """Get fresh counters, but wait for no worker that is too busy to answer."""
        asked = [worker for worker in self.live() if worker.ready]
        for worker in asked:
            worker.ask()
        answers = [asyncio.ensure_future(worker.reported.wait()) for worker in asked]
        if answers:
            _, late = await asyncio.wait(answers, timeout=self.patience.answer)
            for answer in late:
                answer.cancel()

    async def run(self) -> None:
        """Keep every worker running until drained. Raises StartFailure when none can start."""
        async with asyncio.TaskGroup() as tasks:
            reports = tasks.create_task(self._collect_reports())
            rotation = tasks.create_task(self._rotate_ticket_keys())
            keepers = [tasks.create_task(self._keep(index)) for index in range(len(self.workers))]
            try:
                await asyncio.wait(keepers)
                for worker in tuple(self.relieved):
                    await worker.exited.wait()
            finally:
                reports.cancel()
                rotation.cancel()
                self.kill()  # whoever is still there when one cannot start

    async def wait_ready(self) -> None:
        """Wait until every worker accepts connections for the first time."""
        await self._started.wait()

    async def drain(self) -> Drained:
        """Let connections finish within the drain timeout, reset the rest; workers are gone after.

        `cut` ends the waiting.
        """
        self.draining = True
        self._leaving.set()
        workers = list(self.live())
        timeout = 0.0 if self._cut.is_set() else self.in_force.settings.drain.timeout
        for worker in workers:
            worker.drain(timeout)
        self._bound.close_listeners()  # the worker empties the queue, then nobody listens
        await asyncio.gather(*(self._see_off(worker, timeout) for worker in workers))
        ends = [worker.drained or (0, worker.active) for worker in workers]
        return Drained(sum(finished for finished, _ in ends), sum(reset for _, reset in ends))

    def cut(self) -> None:
        """Reset what is still open, now, or as soon as the drain has begun."""
        self._cut.set()
        if self._leaving.is_set():
            for worker in self.live():
                worker.stop()

    def kill(self) -> None:
        """End every process at once."""
        self._leaving.set()
        for worker in self.live():
            worker.kill()

    def worker_ready(self, worker: WorkerProcess) -> None:
        """Note it (called by the worker's handle)."""
        if self.ready:
            self._started.set()
        self._cover()

    def worker_reported(self, evidence: object) -> None:
        """Add it to what all workers saw (called by a worker's handle)."""
        listening = self.in_force.settings.roles
        for gone in self.evidence.keys() - listening:
            del self.evidence[gone]
        add_evidence(self.evidence, evidence, listening)

    def worker_forgot(self, gone: WorkerCounters) -> None:
        """Keep what a worker had counted of listeners that it does not report any more."""
        self._bank.cover(self.in_force.roles)
        self._bank.merge(gone.snapshot())
        self._bank.end_all(EndReason.INTERNAL_ERROR)

    def worker_exited(self, worker: WorkerProcess) -> None:
        """Keep what it had counted; its open connections ended with it."""
        self.worker_forgot(worker.counters)
        if worker not in self.relieved:
            self.workers[self.workers.index(worker)] = None
            self._cover()
            return
        self.relieved.remove(worker)
        if worker.drained is None:
            ended = how_it_ended(worker)
            logger.error("worker %d %s and cut its last connections", worker.pid, ended)

    def relieve(self, worker: WorkerProcess) -> None:
        """Start another one in its place; it goes when its last connection has ended."""
        self.workers[self.workers.index(worker)] = None
        self.relieved.append(worker)
        worker.relieve()

    async def _see_off(self, worker: WorkerProcess, patience: float) -> None:
        """Wait for the end of one worker; kill it when it overstays."""
        cut = asyncio.ensure_future(self._cut.wait())
        gone = asyncio.ensure_future(worker.exited.wait())
        await asyncio.wait(
            {cut, gone}, timeout=patience + EXIT_GRACE, return_when=asyncio.FIRST_COMPLETED
        )
        cut.cancel()
        if not gone.done():
            await asyncio.wait({gone}, timeout=EXIT_GRACE)
            worker.kill()
        await gone

    def cover_anew(self) -> None:
        """Lend what is lent again: after a change it may be other sockets."""
        for worker in self.live():
            for place in tuple(worker.covered):
                worker.uncover(place)
        self._cover()

    def _cover(self) -> None:
        """Have those who serve accept for those who do not: dead, starting, or stuck.

        What the kernel put into the queue of such a worker would else wait for its return.
        """
        if not self._started.is_set() or self._leaving.is_set():
            return
        absent = {place for place, worker in enumerate(self.workers) if not _serves(worker)}
        for place, worker in enumerate(self.workers):
            if worker is None or place in absent:
                continue
            for other in worker.covered - absent:
                worker.uncover(other)
            for other in absent - worker.covered:
                worker.cover(next(self._covers), other, self._bound.own_sockets(other))

    async def _keep(self, index: int) -> None:
        """Run one worker after the other in one place."""
        pause, in_a_row = self.patience.first_pause, 0
        while True:
            born = self._clock()
            worker = await self._run_worker(index)
            if self._leaving.is_set():
                return
            if worker.relieved.is_set():
                logger.info("worker %d only finishes what it has; a new one starts", worker.pid)
                continue
            if not self._started.is_set():
                raise _start_failure(worker)
            lived = self._clock() - born
            in_a_row += 1
            if lived > self.patience.longest_pause:
                pause, in_a_row = self.patience.first_pause, 0
            logger.error("%s", crash_line(worker, lived, pause, in_a_row))
            if await self._leaving_within(pause):
                return
            pause = min(pause * 2, self.patience.longest_pause)
            self.restarts += 1

    async def _leaving_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._leaving.wait(), seconds)
        return self._leaving.is_set()

    async def _run_worker(self, index: int) -> WorkerProcess:
        worker = WorkerProcess(self, self.in_force.roles, self._clock)
        async with self.changing:
            self.workers[index] = worker
            settings = self.in_force.settings
            worker.reach = upstreams(settings) if settings.landlock and landlock_abi() else None
            listeners = {
                name: [one.fileno() for one in sockets]
                for name, sockets in self._bound.sockets(index).items()
            }
            start = WorkerStart(settings, listeners, stderr_is_terminal())
            try:
                await worker.start(start, self._module)
            except OSError as error:  # out of processes, memory or descriptors: that may pass
                worker.error = error.strerror
                self.workers[index] = None
                return worker
        if self._leaving.is_set():  # told to go while it was being started
            worker.kill()
        deadline = asyncio.get_running_loop().call_later(self.patience.start, _judge, worker)
        try:
            await _first(worker.exited, worker.relieved)
        finally:
            deadline.cancel()
        return worker

    async def _collect_reports(self) -> None:
        while True:
            for worker in self.live():
                if worker.ask_again() == self.patience.hung:
                    worker.error = f"it gave no sign of life for {worker.lag:.0f} s"
                    worker.abort()
            self._cover()
            await asyncio.sleep(REPORT_PERIOD)

    async def _rotate_ticket_keys(self) -> None:
        while True:
            await asyncio.sleep(TICKET_KEY_PERIOD)
            self.ticket_keys.rotate()
            for worker in self.live():
                worker.give(self.ticket_keys)


def _serves(worker: WorkerProcess | None) -> bool:
    return worker is not None and worker.ready and worker.lag < STUCK


async def _first(*events: asyncio.Event) -> None:
    """Wait until one of them is set."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in waiting:
            one.cancel()


def _judge(worker: WorkerProcess) -> None:
    """A worker that is not ready in time never will be."""
    if not worker.ready:
        worker.error = worker.error or "it was not ready in time"
        worker.kill()


def _start_failure(worker: WorkerProcess) -> StartFailure:
    return StartFailure(f"the worker cannot start: {worker.error or how_it_ended(worker)}")
