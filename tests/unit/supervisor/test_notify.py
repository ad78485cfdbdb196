"""A service manager's socket, played by hand."""

import asyncio
import os
import socket

import pytest

from pqproxy.supervisor.notify import Notifier


@pytest.fixture(params=["a file", "an abstract name"])
def manager(request, tmp_path):
    """(what NOTIFY_SOCKET says, the socket behind it)."""
    abstract = f"@pqproxy-{os.urandom(8).hex()}"
    name = str(tmp_path / "notify") if request.param == "a file" else abstract
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name[1:]}" if name.startswith("@") else name)
        manager.settimeout(10)
        yield name, manager


def told(manager):
    return manager.recv(4096).decode().split("\n")


def received(manager):
    """What is there now; nothing is nothing."""
    try:
        return manager.recv(4096)
    except BlockingIOError:
        return b""


def test_each_message_is_a_datagram_of_assignments(manager):
    address, manager = manager
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address})

    notifier.ready("serving llm")
    notifier.reloading()
    notifier.stopping("draining 3 connections")

    assert told(manager) == ["READY=1", "STATUS=serving llm"]
    reloading, moment, status = told(manager)
    assert (reloading, status) == ("RELOADING=1", "STATUS=reloading")
    assert moment.removeprefix("MONOTONIC_USEC=").isdecimal()
    assert told(manager) == ["STOPPING=1", "STATUS=draining 3 connections"]


def test_the_variables_are_taken_away_from_our_children(manager):
    environ = {
        "NOTIFY_SOCKET": manager[0],
        "WATCHDOG_USEC": "1000000",
        "WATCHDOG_PID": str(os.getpid()),
        "HOME": "/",
    }

    Notifier.from_environment(environ)

    assert environ == {"HOME": "/"}


def test_without_a_manager_nothing_is_sent(caplog):
    Notifier.from_environment({}).ready("serving")

    assert caplog.messages == []


def test_a_manager_that_does_not_listen_costs_a_line(tmp_path, caplog):
    Notifier(str(tmp_path / "nobody")).ready("serving")

    assert caplog.messages == ["NOTIFY_SOCKET takes no READY=1: No such file or directory"]


def test_signs_of_life_come_while_we_are_healthy_and_stop_then(manager):
    address, manager = manager
    manager.setblocking(False)
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "20000"})
    healthy = True

    async def watch():
        loop, asked = asyncio.get_running_loop(), asyncio.Event()
        nonlocal healthy
        with notifier.watched(lambda: asked.set() or healthy):
            for _ in range(3):
                assert await asyncio.wait_for(loop.sock_recv(manager, 100), 10) == b"WATCHDOG=1"
            healthy = False
            while received(manager):  # what was sent while we were healthy
                pass
            for _ in range(2):
                asked.clear()
                await asyncio.wait_for(asked.wait(), 10)

    asyncio.run(watch())
    assert not received(manager)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"WATCHDOG_USEC": "nonsense"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
    ids=["none", "nonsense", "zero", "meant for another process"],
)
def test_nobody_who_does_not_watch_gets_signs_of_life(manager, variables):
    notifier = Notifier.from_environment({"NOTIFY_SOCKET": manager[0], **variables})

    async def watch():
        with notifier.watched(lambda: pytest.fail("asked")):
            await asyncio.sleep(0)
            await asyncio.sleep(0)

    asyncio.run(watch())


def test_a_start_that_takes_longer_says_how_long(manager):
    address, manager = manager

    Notifier(address).starting("waiting", 1.5)

    assert told(manager) == ["EXTEND_TIMEOUT_USEC=1500000", "STATUS=waiting"]
