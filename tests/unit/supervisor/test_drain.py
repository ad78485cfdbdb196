import asyncio

import pytest

from pqproxy.supervisor.crew import Drained
from pqproxy.supervisor.drain import ACCEPTING, FINISHING, OVER, Drain, Progress
from tests.unit.supervisor.stubs import StubCrew


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def draining(scenario):
    """Run a scenario with a drain, its crew and its clock."""

    async def run():
        clock = Clock()
        crew = StubCrew()
        return await asyncio.wait_for(scenario(Drain(crew, clock), crew, clock), 20)

    return asyncio.run(run())


def test_nothing_is_told_before_somebody_begins():
    async def scenario(drain, crew, clock):
        return drain.progress, crew.draining

    assert draining(scenario) == (None, False)


def test_first_it_is_only_not_ready():
    async def scenario(drain, crew, clock):
        drain.begin(5.0)
        clock.now += 2
        return drain.progress, crew.draining

    assert draining(scenario) == (Progress(ACCEPTING, 3, 60.0, 3.0), True)


def test_then_it_waits_for_what_is_open_and_says_how_it_went():
    async def scenario(drain, crew, clock):
        crew.drained = Drained(finished=2, reset=1)
        drain.begin(0.0)
        await drain.accepting_ends()
        watching = asyncio.ensure_future(drain.wait())
        finishing = asyncio.ensure_future(drain.finish())
        await asyncio.sleep(0)
        clock.now += 7
        progress = drain.progress
        crew.all_ended.set()
        return progress, await finishing, await watching, drain.progress

    progress, drained, watched, last = draining(scenario)

    assert progress == Progress(FINISHING, 3, 60.0, 13.0)
    assert drained == watched == Drained(finished=2, reset=1)
    assert last == Progress(OVER, 0, None, 0.0, drained)


@pytest.mark.parametrize(
    ("asked", "left"), [((5.0, 9.0), 5.0), ((9.0, 5.0), 5.0), ((5.0, 0.0), 0.0)]
)
def test_who_asks_again_can_only_hasten_it(asked, left):
    async def scenario(drain, crew, clock):
        for delay in asked:
            drain.begin(delay)
        return drain.progress.left

    assert draining(scenario) == left


def test_a_signal_ends_the_delay_at_once():
    async def scenario(drain, crew, clock):
        drain.begin(1000.0)
        drain.begin(0.0)
        await drain.accepting_ends()

    draining(scenario)


def test_once_it_finishes_it_accepts_no_more_whoever_asks():
    async def scenario(drain, crew, clock):
        drain.begin(0.0)
        drain.begin(5.0)
        await drain.accepting_ends()
        return drain.progress.phase

    assert draining(scenario) == FINISHING


def test_progress_is_json():
    assert Progress(FINISHING, 1, 2.00049, 3.0).as_json() == {
        "phase": "finishing",
        "connections": 1,
        "oldest_seconds": 2.0,
        "seconds_left": 3.0,
    }
    assert Progress(OVER, 0, None, 0.0, Drained(2, 1)).as_json() == {
        "phase": "over",
        "connections": 0,
        "oldest_seconds": None,
        "seconds_left": 0.0,
        "finished": 2,
        "reset": 1,
    }
