"""Two-phase changes, with crews of real processes that obey the test."""

import asyncio
import os
import signal
import socket
from dataclasses import replace

import pytest

from pqproxy.config.values import Egress, TcpAddress
from pqproxy.landlock import landlock_abi
from pqproxy.supervisor.binding import bind_all
from pqproxy.supervisor.crew import Crew, Patience
from pqproxy.supervisor.exchange import Exchange, ExchangeFailed, exchange
from pqproxy.supervisor.in_force import InForce
from pqproxy.supervisor.rebinding import Rebinding
from tests.unit.supervisor.harness import FAKE_WORKER, ingress, settings, soon

QUICK = Patience(start=20.0, first_pause=0.02, longest_pause=0.04, change=0.5)
PATIENT = replace(QUICK, change=20.0)


class House:
    """A crew of two, and what is bound for it."""

    def __init__(self, crew, bound):
        self.crew, self.bound = crew, bound
        self._number = 0

    async def change(self, *listeners):
        before = self.crew.in_force.settings
        after = replace(before, ingress=listeners)
        sockets = Rebinding(self.bound, before, after)
        self._number += 1

        def commit():
            sockets.commit()
            self.crew.in_force.replace(after)

        try:
            await exchange(self.crew, Exchange(self._number, after, sockets), commit)
        finally:
            sockets.abandon()

    async def whoever(self, name):
        """The worker that answers at a listener."""
        loop = asyncio.get_running_loop()
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, self.bound.listeners[name][0][0].getsockname())
            await loop.sock_sendall(connection, b"who")
            return int(await loop.sock_recv(connection, 100))

    async def everybody(self, name):
        """See that both workers answer there."""
        seen = set()
        async with asyncio.timeout(20):
            while len(seen) < 2:
                seen.add(await self.whoever(name))

    def listening(self):
        return sorted(self.bound.listeners)


def played(scenario, patience=PATIENT):
    async def run():
        held = settings(health=None, workers=2)
        with bind_all(held) as bound:
            crew = Crew(InForce(held), bound, module=FAKE_WORKER, patience=patience)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(crew.run())
                await crew.wait_ready()
                await scenario(House(crew, bound))
                if not crew.draining:
                    await crew.drain()

    asyncio.run(run())


def test_all_workers_change():
    async def scenario(house):
        await house.change(ingress(), ingress("new"))

        await house.everybody("new")
        await house.everybody("llm")

    played(scenario)


def test_one_that_refuses_keeps_all_as_they_were_and_the_reason_is_told():
    async def scenario(house):
        with pytest.raises(ExchangeFailed) as failed:
            await house.change(ingress(), ingress("unwanted"))

        assert len(failed.value.reasons) == 2
        assert all("it is not wanted" in reason for reason in failed.value.reasons)
        assert house.listening() == ["llm"]
        await house.everybody("llm")
        await house.change(ingress(), ingress("new"))
        await house.everybody("new")

    played(scenario)


def test_one_that_does_not_answer_keeps_all_as_they_were():
    async def scenario(house):
        with pytest.raises(ExchangeFailed, match=r"does not answer within 0.5 s"):
            await house.change(ingress(), ingress("ignored"))

        assert house.listening() == ["llm"]
        await house.everybody("llm")

    played(scenario, QUICK)


def test_one_that_dies_in_the_middle_is_replaced_by_one_with_the_settings_in_force():
    async def scenario(house):
        before = {worker.pid for worker in house.crew.live()}
        with pytest.raises(ExchangeFailed, match="it ended meanwhile"):
            await house.change(ingress(), ingress("deadly"))

        assert house.listening() == ["llm"]
        await soon(lambda: house.crew.ready)
        assert not before & {worker.pid for worker in house.crew.live()}
        await house.everybody("llm")

    played(scenario)


def test_one_that_dies_later_comes_back_with_the_new_settings():
    async def scenario(house):
        await house.change(ingress("new"))
        for worker in list(house.crew.live()):
            os.kill(worker.pid, signal.SIGKILL)
        await soon(lambda: house.crew.restarts == 2 and house.crew.ready)

        await house.everybody("new")

    played(scenario)


def test_one_that_was_just_dead_misses_nothing():
    """It may be started again at any moment of a change: never with the old settings after it."""

    async def scenario(house):
        victim = next(house.crew.live())
        os.kill(victim.pid, signal.SIGKILL)
        await victim.exited.wait()
        await house.change(ingress(), ingress("new"))
        await soon(lambda: house.crew.ready)

        await house.everybody("new")

    played(scenario)


def test_a_drain_that_comes_in_between_wins():
    async def scenario(house):
        async with asyncio.TaskGroup() as tasks:
            change = tasks.create_task(fails(house))
            await soon(lambda: house.crew.changing.locked())
            await house.crew.drain()

            assert "told to go" in await change
            assert house.listening() == ["llm"]

    async def fails(house):
        with pytest.raises(ExchangeFailed) as failed:
            await house.change(ingress(), ingress("ignored"))
        return str(failed.value)

    played(scenario)


def outgrown(port):
    """A listener whose upstream no worker was started with."""
    return ingress("new", forward=TcpAddress("127.0.0.1", port))


needs_landlock = pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no Landlock")


@needs_landlock
def test_a_worker_that_is_kept_from_new_upstreams_finishes_beside_a_new_one():
    async def scenario(house):
        before = {worker.pid for worker in house.crew.live()}
        loop = asyncio.get_running_loop()
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, house.bound.listeners["llm"][0][0].getsockname())
            await loop.sock_sendall(connection, b"who")
            old = int(await loop.sock_recv(connection, 100))
            await house.crew.refresh()

            await house.change(ingress(), outgrown(7))

            await soon(lambda: house.crew.ready)
            await house.everybody("new")
            assert not before & {one.pid for one in house.crew.workers}
            await soon(lambda: {one.pid for one in house.crew.relieved} == {old})
            await loop.sock_sendall(connection, b"who")
            assert int(await loop.sock_recv(connection, 100)) == old
            counted = house.crew.totals().listeners["llm"].client_received
        await soon(lambda: not house.crew.relieved)
        assert house.crew.totals().listeners["llm"].client_received >= counted
        assert house.crew.restarts == 0

    played(scenario)


@needs_landlock
def test_whoever_was_relieved_is_told_of_all_later_settings():
    """What they revoke ends connections there too."""

    async def scenario(house):
        loop = asyncio.get_running_loop()
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, house.bound.listeners["llm"][0][0].getsockname())

            async def told(what):
                async with asyncio.timeout(20):
                    await loop.sock_sendall(connection, b"told")
                    while await loop.sock_recv(connection, 100) != what:
                        await loop.sock_sendall(connection, b"told")

            await told(b"nothing")
            await house.change(ingress(), outgrown(7))
            await told(b"llm, new")
            await soon(lambda: house.crew.ready)
            await house.change(ingress())
            await told(b"llm")

    played(scenario)


@needs_landlock
def test_a_drain_waits_for_whoever_was_relieved():
    async def scenario(house):
        loop = asyncio.get_running_loop()
        with socket.socket() as connection:
            connection.setblocking(False)
            await loop.sock_connect(connection, house.bound.listeners["llm"][0][0].getsockname())
            await loop.sock_sendall(connection, b"who")
            await loop.sock_recv(connection, 100)
            await house.change(ingress(), outgrown(7))
            await soon(lambda: house.crew.ready and len(house.crew.relieved) == 1)
            drain = asyncio.ensure_future(house.crew.drain())
            await soon(lambda: not any(house.crew.workers))

            await loop.sock_sendall(connection, b"who")
            assert await loop.sock_recv(connection, 100)
        drained = await drain
        assert (drained.finished, drained.reset) == (1, 0)

    played(scenario)


@needs_landlock
def test_workers_of_earlier_settings_do_not_pile_up(monkeypatch):
    monkeypatch.setattr("pqproxy.supervisor.exchange.MOST_RELIEVED", 1)

    async def scenario(house):
        with pytest.raises(ExchangeFailed, match="restart needed: Landlock"):
            await house.change(ingress(), outgrown(7))

        assert house.listening() == ["llm"]
        await house.everybody("llm")

    played(scenario)


def test_without_landlock_every_worker_changes_in_place(monkeypatch):
    monkeypatch.setattr("pqproxy.supervisor.crew.landlock_abi", lambda: 0)

    async def scenario(house):
        before = {worker.pid for worker in house.crew.live()}
        await house.change(ingress(), outgrown(7))

        await house.everybody("new")
        assert {worker.pid for worker in house.crew.live()} == before

    played(scenario)


def test_counts_of_a_removed_listener_stay_in_the_sums():
    async def scenario(house):
        assert await house.whoever("llm")
        await house.crew.refresh()
        counted = house.crew.totals().listeners["llm"].client_received
        assert counted > 0
        await house.change(ingress("new"))
        await house.crew.refresh()
        await house.crew.refresh()

        assert house.crew.totals().listeners["llm"].client_received == counted
        assert all("llm" not in worker.counters.listeners for worker in house.crew.live())

    played(scenario)


def test_a_change_of_role_is_counted_under_the_same_name():
    async def scenario(house):
        where = TcpAddress("127.0.0.1", 0)
        egress = Egress("llm", where, (where,), (), "mesh", ("x",))
        before = house.crew.in_force.settings
        house.crew.in_force.replace(replace(before, ingress=(), egress=(egress,)))

        assert house.crew.totals().listeners["llm"].role == "egress"
        house.crew.in_force.replace(before)

    played(scenario)
