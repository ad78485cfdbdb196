"""Other settings for all workers, or for none of them: first all get ready, then all change.

A worker that the kernel keeps from upstreams that are new is not asked: another one takes its
place, and it serves the connections that it has to their end.

While that lasts no worker is started, so that none begins with settings that are about to change;
one that died waits for the end of it. One that dies in the middle makes the change fail, since
what it was asked may be the reason.
"""

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass

from pqproxy.config.upstreams import upstreams
from pqproxy.config.values import Settings
from pqproxy.proxy.channel import WorkerChange
from pqproxy.supervisor.crew import Crew
from pqproxy.supervisor.rebinding import Rebinding
from pqproxy.supervisor.worker import Answer, WorkerProcess

MOST_RELIEVED = 16  # workers of earlier settings, of 50 MB each


class ExchangeFailed(Exception):
    """The workers serve on as before. `reasons` has a line for each that matters."""

    def __init__(self, reasons: Collection[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = tuple(reasons)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is to follow. `number` is another one each time."""

    number: int
    settings: Settings
    sockets: Rebinding


async def exchange(crew: Crew, wanted: Exchange, commit: Callable[[], None]) -> None:
    """Change all workers; `commit` is called as soon as it is certain. Raises ExchangeFailed."""
    async with crew.changing:
        workers, outgrown = _divide(await _settled(crew), wanted.settings)
        reasons = await _prepare(crew, workers, wanted)
        if outgrown and len(crew.relieved) + len(outgrown) > MOST_RELIEVED:
            reasons.append(
                "restart needed: Landlock keeps workers from upstreams that are new, and "
                f"{len(crew.relieved)} already serve the rest of their connections only"
            )
        if crew.draining:
            reasons = ["pqproxy was told to go meanwhile"]
        if reasons:
            for worker in workers.values():
                worker.abandon()
            raise ExchangeFailed(reasons)
        # Nothing is awaited in between: who is started after this gets the new settings.
        commit()
        committed = [worker.commit(wanted.number) for worker in workers.values()]
        for worker in outgrown:
            crew.relieve(worker)
        for worker in crew.relieved:
            worker.withdraw(WorkerChange(wanted.settings, {}))
        crew.cover_anew()
    # One that is late will come to it: what it was told stands in its channel.
    await _wait(committed, crew.patience.change)


async def _settled(crew: Crew) -> dict[int, WorkerProcess]:
    """All that are ready, by their place, once nobody is being started any more."""
    for worker in list(crew.live()):
        await worker.settled.wait()
    places = enumerate(crew.workers)
    return {place: worker for place, worker in places if worker is not None and worker.ready}


def _divide(
    workers: dict[int, WorkerProcess], settings: Settings
) -> tuple[dict[int, WorkerProcess], list[WorkerProcess]]:
    """Who can serve other settings, by place, and who is kept from their upstreams."""
    wanted = upstreams(settings)
    outgrown = [one for one in workers.values() if one.reach and not one.reach.cover(wanted)]
    return {place: one for place, one in workers.items() if one not in outgrown}, outgrown


async def _prepare(crew: Crew, workers: dict[int, WorkerProcess], wanted: Exchange) -> list[str]:
    """Ask all of them. Returns why they cannot: nothing where all can."""
    answers: list[Answer] = []
    for place, worker in workers.items():
        sources, sockets = wanted.sockets.sources(place)
        change = WorkerChange(wanted.settings, sources)
        answers.append(worker.prepare(wanted.number, change, sockets))
    await _wait(answers, crew.patience.change)
    late = f"a worker does not answer within {crew.patience.change:g} s"
    reasons = [answer.result() if answer.done() else late for answer in answers]
    return list(dict.fromkeys(reason for reason in reasons if reason is not None))


async def _wait(answers: Collection[Answer], seconds: float) -> None:
    if answers:
        await asyncio.wait(answers, timeout=seconds)
