import asyncio
import contextlib
import errno
import os
import signal
import socket
import time

import pytest

from pqproxy.config.values import Drain
from pqproxy.supervisor import crew as crew_module
from pqproxy.supervisor.binding import bind_all
from pqproxy.supervisor.crew import Crew, Drained, Patience
from pqproxy.supervisor.errors import StartFailure
from pqproxy.supervisor.in_force import InForce
from pqproxy.supervisor.worker import WorkerProcess
from tests.unit.supervisor.harness import FAKE_WORKER, settings, soon

QUICK = Patience(start=20.0, first_pause=0.02, longest_pause=0.04, answer=0.25)


@contextlib.asynccontextmanager
async def running(patience=QUICK, clock=time.monotonic, **changes):
    """A crew of fake workers that are ready, and the address of their listener."""
    held = settings(health=None, **changes)
    with bind_all(held) as bound:
        crew = Crew(InForce(held), bound, module=FAKE_WORKER, patience=patience, clock=clock)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(crew.run())
            await crew.wait_ready()
            host, _, port = bound.addresses("llm")[0].rpartition(":")
            yield crew, (host, int(port))
            if not crew.draining:
                await crew.drain()


@contextlib.asynccontextmanager
async def connected(address):
    loop = asyncio.get_running_loop()
    with socket.socket() as connection:
        connection.setblocking(False)
        await loop.sock_connect(connection, address)
        await loop.sock_sendall(connection, b"token")
        assert await loop.sock_recv(connection, 100) == b"token"
        yield connection


def test_totals_never_go_down_when_workers_die():
    async def scenario():
        seen = []
        async with running() as (crew, address):
            for _ in range(3):
                await soon(lambda: crew.ready)
                async with connected(address):
                    await crew.refresh()
                    seen.append(crew.totals().listeners["llm"].client_received)
                    (worker,) = crew.live()
                    worker.kill()
                    await worker.exited.wait()
                seen.append(crew.totals().listeners["llm"].client_received)
            await soon(lambda: crew.ready)
            return seen, crew.restarts, crew.totals().listeners["llm"]

    seen, restarts, llm = asyncio.run(scenario())

    assert seen == [5, 5, 10, 10, 15, 15]
    assert restarts == 3
    assert llm.active == {"tls": 0, "stream": 0}
    assert llm.connections.counts == {("tls", "internal_error"): 3}


def test_what_workers_saw_outlives_them_and_adds_up():
    """Each tells only what is new; the crew remembers it when they are gone."""

    async def scenario():
        async with running() as (crew, address):
            for _ in range(3):
                await soon(lambda: crew.ready)
                async with connected(address):
                    await crew.refresh()
                    await crew.refresh()
                    (worker,) = crew.live()
                    worker.kill()
                    await worker.exited.wait()
            return crew.evidence["llm"].ledger.shown()

    (row,) = asyncio.run(scenario())

    assert (row["source"], row["group"], row["count"]) == ("127.0.0.1", "x25519", 3)
    assert row["first_seen"] <= row["last_seen"]


def test_a_busy_worker_does_not_hold_up_whoever_asks():
    async def scenario():
        async with running() as (crew, address), connected(address) as connection:
            await crew.refresh()
            await asyncio.get_running_loop().sock_sendall(connection, b"hang")
            async with asyncio.timeout(10):
                await crew.refresh()
                received = crew.totals().listeners["llm"].client_received
            crew.cut()
            return received

    assert asyncio.run(scenario()) == 5


@pytest.mark.parametrize(("mode", "why"), [("broken", "liboqs is missing"), ("silent", "in time")])
def test_a_worker_that_never_gets_ready_is_a_failure_to_start(monkeypatch, mode, why):
    """Starting over for ever would hide it from whoever started us."""
    monkeypatch.setenv("FAKE_WORKER", mode)

    async def scenario():
        patience = Patience(start=0.3 if mode == "silent" else 20.0)
        async with running(patience):
            pass

    with pytest.raises(ExceptionGroup) as failures:
        asyncio.run(scenario())

    assert failures.group_contains(StartFailure, match=f"the worker cannot start: .*{why}")


def test_a_drain_counts_who_finished_and_who_was_reset():
    async def scenario():
        async with (
            running(drain=Drain(timeout=0.5)) as (crew, address),
            connected(address),
            connected(address) as leaving,
        ):
            draining = asyncio.ensure_future(crew.drain())
            await soon(lambda: crew.draining)
            leaving.close()
            return await draining

    assert asyncio.run(scenario()) == Drained(finished=1, reset=1)


def test_connections_of_a_worker_that_dies_in_a_drain_count_as_reset():
    async def scenario():
        async with running() as (crew, address), connected(address):
            await crew.refresh()
            (worker,) = crew.live()
            draining = asyncio.ensure_future(crew.drain())
            os.kill(worker.pid, signal.SIGKILL)
            return await draining, crew.restarts

    assert asyncio.run(scenario()) == (Drained(finished=0, reset=1), 0)


def test_a_drain_while_a_worker_is_being_replaced_starts_no_other():
    async def scenario():
        slow = Patience(first_pause=1000.0, longest_pause=1000.0)
        async with running(slow) as (crew, _):
            (worker,) = crew.live()
            worker.kill()
            await worker.exited.wait()
            async with asyncio.timeout(10):
                return await crew.drain(), list(crew.live())

    assert asyncio.run(scenario()) == (Drained(finished=0, reset=0), [])


def test_all_workers_get_new_ticket_keys_together(monkeypatch):
    """Any of them must be able to open what another one sealed."""
    monkeypatch.setattr(crew_module, "TICKET_KEY_PERIOD", 0.01)

    async def scenario():
        async with running() as (crew, _):
            (worker,) = crew.live()
            given, changed = [], asyncio.Event()

            def give(keys):
                given.append(keys.encode())
                changed.set()

            worker.give = give
            await changed.wait()
            return given[0], crew.ticket_keys.encode()

    first, last = asyncio.run(scenario())

    assert len(first) == len(last) == 2


async def who(address):
    """Which process serves the next connection."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(b"who")
    answer = int(await asyncio.wait_for(reader.read(100), 10))
    writer.close()
    return answer


PATIENT = Patience(first_pause=1000.0, longest_pause=1000.0)


def test_the_living_accept_for_a_dead_one_while_it_is_not_replaced():
    """The kernel goes on giving it its share: nobody may wait for a crash loop to end."""

    async def scenario():
        async with running(PATIENT, workers=3) as (crew, address):
            dead, *living = list(crew.live())
            dead.kill()
            await dead.exited.wait()
            served = {await who(address) for _ in range(60)}
            return served, {worker.pid for worker in living}

    served, living = asyncio.run(scenario())

    assert served <= living


def test_a_connection_in_the_queue_of_one_that_dies_is_served_by_another():
    async def scenario():
        async with running(PATIENT, workers=2) as (crew, address):
            stopped, living = list(crew.live())
            os.kill(stopped.pid, signal.SIGSTOP)
            answers = [asyncio.ensure_future(who(address)) for _ in range(40)]
            await asyncio.sleep(0.2)
            waiting = sum(not answer.done() for answer in answers)
            stopped.kill()
            return waiting, set(await asyncio.gather(*answers)), living.pid

    waiting, served, living = asyncio.run(scenario())

    assert waiting > 5
    assert served == {living}


def test_one_that_is_stuck_is_covered_until_it_answers_again(monkeypatch):
    monkeypatch.setattr(crew_module, "REPORT_PERIOD", 0.05)
    monkeypatch.setattr(crew_module, "STUCK", 0.2)

    async def scenario():
        async with running(Patience(hung=10**6), workers=2) as (crew, address):
            stuck, working = list(crew.live())
            os.kill(stuck.pid, signal.SIGSTOP)
            await soon(lambda: working.covered == {0})
            served = {await who(address) for _ in range(30)}
            os.kill(stuck.pid, signal.SIGCONT)
            await soon(lambda: working.covered == set())
            both = {await who(address) for _ in range(60)}
            return served, both, {working.pid}, {stuck.pid, working.pid}

    served, both, working, all_of_them = asyncio.run(scenario())

    assert served == working
    assert both == all_of_them


def test_one_that_gives_no_sign_of_life_is_replaced_and_says_where_it_was(monkeypatch, caplog):
    monkeypatch.setattr(crew_module, "REPORT_PERIOD", 0.02)

    async def scenario():
        patience = Patience(first_pause=0.01, hung=10)
        async with running(patience) as (crew, address), connected(address) as connection:
            (hanging,) = crew.live()
            await asyncio.get_running_loop().sock_sendall(connection, b"hang")
            await hanging.exited.wait()
            await soon(lambda: crew.ready)
            return hanging.status, crew.restarts

    assert asyncio.run(scenario()) == (-signal.SIGABRT, 1)
    assert "SIGABRT (it gave no sign of life for" in caplog.text


def test_time_that_the_supervisor_itself_slept_is_no_sign_of_death(monkeypatch):
    """A machine that was suspended comes back with an hour gone, and every worker well."""
    now = 0.0
    monkeypatch.setattr(crew_module, "REPORT_PERIOD", 0.02)

    async def scenario():
        nonlocal now
        async with running(Patience(hung=3), clock=lambda: now) as (crew, _):
            (worker,) = crew.live()
            worker.ask()
            now += 3600.0
            await worker.reported.wait()
            await asyncio.sleep(0.2)
            return worker.status

    assert asyncio.run(scenario()) is None


def test_a_replacement_that_cannot_be_started_is_tried_again(monkeypatch, caplog):
    """Out of processes or of memory, for a moment: what runs is not to end for that."""
    start, failures = WorkerProcess.start, [OSError(errno.EAGAIN, "Out of processes")]

    async def fail_once(worker, *arguments):
        if crew_is_up and failures:
            raise failures.pop()
        await start(worker, *arguments)

    crew_is_up = False
    monkeypatch.setattr(WorkerProcess, "start", fail_once)

    async def scenario():
        nonlocal crew_is_up
        async with running() as (crew, address):
            crew_is_up = True
            (worker,) = crew.live()
            worker.kill()
            await worker.exited.wait()
            await soon(lambda: crew.ready)
            async with connected(address):
                return crew.restarts

    assert asyncio.run(scenario()) == 2
    assert "could not be started (Out of processes)" in caplog.text
