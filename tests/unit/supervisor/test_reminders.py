import asyncio
import contextlib
import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from pqproxy.supervisor.in_force import InForce
from pqproxy.supervisor.reminders import Reminders
from tests.support import pki
from tests.unit.supervisor.harness import settings, soon

ENDS = datetime(2030, 1, 10, tzinfo=UTC)


def lasting_until(not_after, label="leaf"):
    leaf = pki.root("ecdsa-p256").issue(not_after=not_after, label=label)
    return dataclasses.replace(settings(), identities=(leaf.files("own"),))


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now.timestamp()


@pytest.fixture
def clock():
    return Clock(ENDS - timedelta(days=8))


def said(caplog):
    """What was said since the last time."""
    messages = [record.getMessage() for record in caplog.records]
    caplog.clear()
    return messages


@contextlib.asynccontextmanager
async def repeating(reminders):
    reminders.period = 0.001
    task = asyncio.ensure_future(reminders.repeat())
    try:
        yield
    finally:
        task.cancel()


def test_seven_days_before_the_end_it_is_said_and_then_daily(clock, caplog):
    """Whoever runs for months must not learn of it from the outage."""
    reminders = Reminders(InForce(lasting_until(ENDS)), clock)
    reminders.tell()
    assert said(caplog) == []

    async def live():
        async with repeating(reminders):
            await asyncio.sleep(0.05)
            assert said(caplog) == []
            for days in (6, 5, -1):
                clock.now = ENDS - timedelta(days=days)
                await soon(lambda: caplog.records)
                await asyncio.sleep(0.05)
                (line,) = said(caplog)
                when = f"ends in {days * 24} hours" if days > 0 else "ended"
                assert line == (
                    f"the leaf certificate of own {when} (2030-01-10 00:00 UTC): renew it"
                )
                clock.now += timedelta(hours=23)
                await asyncio.sleep(0.05)
                assert said(caplog) == []

    asyncio.run(live())


def test_a_renewed_certificate_is_not_warned_of_any_more(clock, caplog):
    clock.now = ENDS - timedelta(days=1)
    in_force = InForce(lasting_until(ENDS))
    reminders = Reminders(in_force, clock)
    reminders.tell()
    assert len(said(caplog)) == 1
    in_force.replace(lasting_until(ENDS + timedelta(days=90)))
    clock.now += timedelta(days=1)
    reminders.tell()

    assert said(caplog) == []


def test_each_reload_says_it_again(clock, caplog):
    clock.now = ENDS - timedelta(days=1)
    reminders = Reminders(InForce(lasting_until(ENDS)), clock)
    reminders.tell()
    reminders.tell()

    assert len(said(caplog)) == 2
