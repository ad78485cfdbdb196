import asyncio
import contextlib
import os
import signal
import socket

import pytest

from pqproxy.config.values import Drain
from pqproxy.supervisor import crew as crew_module
from pqproxy.supervisor.binding import bind_all
from pqproxy.supervisor.crew import Crew, Drained, Patience
from pqproxy.supervisor.errors import StartFailure
from pqproxy.supervisor.in_force import InForce
from tests.unit.supervisor.harness import FAKE_WORKER, settings, soon

QUICK = Patience(start=20.0, first_pause=0.02, longest_pause=0.04, answer=0.25)


@contextlib.asynccontextmanager
async def running(patience=QUICK, **changes):
    """A crew of one fake worker that is ready, and the address of its listener."""
    held = settings(health=None, **changes)
    with bind_all(held) as bound:
        crew = Crew(InForce(held), bound, module=FAKE_WORKER, patience=patience)
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
