import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from pqproxy.proxy.channel import MAX_REPORT, WorkerStart, encode_frame
from pqproxy.supervisor import worker as module
from pqproxy.supervisor.ticket_keys import TicketKeyRing
from pqproxy.supervisor.worker import WorkerProcess
from pqproxy.telemetry.counters import WorkerCounters
from tests.unit.supervisor.harness import FAKE_WORKER, settings, soon


class Owner:
    """Remembers what it hears."""

    def __init__(self):
        self.heard = []
        self.ticket_keys = TicketKeyRing()

    def worker_ready(self, worker):
        self.heard.append("ready")

    def worker_reported(self, evidence):
        if not isinstance(evidence, dict):
            raise ValueError("that is no evidence")
        self.heard.append(evidence)

    def worker_forgot(self, gone):
        self.heard.append(("forgot", gone.snapshot()))

    def worker_exited(self, worker):
        self.heard.append("exited")


@contextlib.asynccontextmanager
async def running(clock=time.monotonic):
    """A fake worker that is ready, its owner, and a connection to it."""
    owner = Owner()
    worker = WorkerProcess(owner, {"llm": "ingress"}, clock)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        await worker.start(
            WorkerStart(settings(), {"llm": [listening.fileno()]}, log_tty=False), FAKE_WORKER
        )
        await soon(lambda: worker.ready or worker.status is not None)
        with socket.create_connection(listening.getsockname()) as connection:
            connection.setblocking(False)
            yield worker, owner, connection
    worker.kill()
    await worker.exited.wait()


async def talk(connection, order):
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, order)
    return await loop.sock_recv(connection, 100)


def test_a_report_holds_what_the_worker_counted():
    async def scenario():
        async with running() as (worker, _, connection):
            await talk(connection, b"token")
            worker.ask()
            await worker.reported.wait()
            return worker.counters.listeners["llm"], worker.active

    counters, active = asyncio.run(scenario())

    assert counters.client_received == 5
    assert active == 1


def test_lag_is_how_long_the_worker_takes_to_answer_or_has_taken_so_far():
    now = 100.0

    async def scenario():
        nonlocal now
        async with running(lambda: now) as (worker, _, connection):
            await asyncio.get_running_loop().sock_sendall(connection, b"hang")
            await asyncio.sleep(0.1)
            worker.ask()
            now = 107.0
            worker.ask()  # it still owes an answer: no second question
            return worker.lag

    assert asyncio.run(scenario()) == 7.0


def test_the_last_words_of_a_worker_are_heard_before_its_end():
    """It says what it drained and exits: the process must not count as gone before that is read."""

    async def scenario():
        async with running() as (worker, owner, connection):
            await talk(connection, b"token")
            worker.drain(0.0)
            await worker.exited.wait()
            return worker.drained, worker.status, owner.heard

    assert asyncio.run(scenario()) == ((0, 1), 0, ["ready", "exited"])


def test_a_killed_worker_reports_its_signal():
    async def scenario():
        async with running() as (worker, owner, _):
            worker.kill()
            await worker.exited.wait()
            worker.kill()  # a pid that may be somebody else's by now is left alone
            return worker.status, worker.ready, owner.heard

    assert asyncio.run(scenario()) == (-signal.SIGKILL, False, ["ready", "exited"])


def test_a_ctrl_c_at_the_terminal_does_not_reach_the_worker():
    async def scenario():
        async with running() as (worker, _, _):
            return os.getpgid(worker.pid)

    assert asyncio.run(scenario()) != os.getpgid(0)


def test_files_of_the_current_directory_are_not_imported(tmp_path, monkeypatch):
    """The process that holds the keys runs pqproxy, not a `json.py` that lies about."""
    (tmp_path / "json.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.chdir(tmp_path)

    async def scenario():
        async with running() as (worker, _, _):
            return worker.ready

    assert asyncio.run(scenario()) is True


def test_a_worker_inherits_nothing_but_its_channel_and_its_listeners(tmp_path):
    secret = tmp_path / "secret"

    async def scenario():
        async with running() as (worker, _, _):
            return open_files(worker.pid)

    with secret.open("w") as held:
        os.set_inheritable(held.fileno(), True)
        opened = asyncio.run(scenario())

    assert str(secret) not in opened
    assert any(name.startswith("socket:") for name in opened)


def open_files(pid):
    opened = []
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it opens and closes while we look
            opened.append(os.readlink(descriptor))
    return opened


@pytest.mark.parametrize("known", [None, "/somewhere"])
def test_a_worker_imports_the_very_pqproxy_that_starts_it(monkeypatch, known):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if known:
        monkeypatch.setenv("PYTHONPATH", known)

    path = module._environment(())["PYTHONPATH"].split(os.pathsep)

    assert Path(path[0], "pqproxy", "supervisor", "worker.py").samefile(module.__file__)
    assert path[1:] == ([known] if known else [])


def test_an_installed_pqproxy_needs_no_search_path(monkeypatch):
    """Site-packages before the standard library would let any package replace a part of it."""
    root = str(Path(module.__file__).parents[2])
    monkeypatch.setattr(module.site, "getsitepackages", lambda: [root])
    monkeypatch.delenv("PYTHONPATH", raising=False)

    assert "PYTHONPATH" not in module._environment(())


def report(**changes):
    counters = WorkerCounters({"llm": "ingress"}).snapshot()
    counters["llm"] |= changes
    return {"event": "snapshot", "id": 0, "counters": counters, "evidence": {}}


@pytest.mark.parametrize(
    "said",
    [
        [],
        {"event": "drained", "finished": float("inf"), "reset": 0},
        {"event": "snapshot", "id": 0},
        {"event": "shutdown"},
        report(),
        "x" * MAX_REPORT,
    ],
    ids=["list", "endless", "no counters", "unknown", "not asked for", "too long"],
)
def test_a_worker_that_talks_nonsense_is_killed(monkeypatch, said):
    """It faces the network, so it may be somebody else's by now."""
    assert killed_by(monkeypatch, said)


@pytest.mark.parametrize("age", ["old", -1, float("nan"), 10**400, [1]])
def test_an_age_that_is_none_is_nonsense(monkeypatch, age):
    good = report() | {"status": {"oldest": 2.5}}

    assert not killed_by(monkeypatch, good, asked=True)
    assert killed_by(monkeypatch, report() | {"status": {"oldest": age}}, asked=True)


def test_a_report_of_a_number_that_no_clock_shows_is_nonsense(monkeypatch):
    assert killed_by(monkeypatch, report(last_dial=[10**400, None]), asked=True)
    assert not killed_by(monkeypatch, report(), asked=True)


def test_evidence_that_its_owner_cannot_read_is_nonsense(monkeypatch):
    assert killed_by(monkeypatch, report() | {"evidence": [1, 2]}, asked=True)


def test_what_a_worker_says_went_wrong_drives_no_terminal():
    """`pqproxy reload` and `pqproxy status` print it."""
    worker = WorkerProcess(Owner(), {}, time.monotonic)
    said = {"event": "failed", "error": "\x1b]0;mine\x07\n" + "x" * 100_000}
    worker.data_received(encode_frame(json.dumps(said).encode()))

    assert worker.error.startswith("\\x1b]0;mine\\x07\\n")
    assert worker.error.isprintable()
    assert len(worker.error) < 1000


def killed_by(monkeypatch, said, asked=False):
    """Whether a worker is killed for saying it."""
    worker = WorkerProcess(Owner(), {"llm": "ingress"}, time.monotonic)
    killed = []
    monkeypatch.setattr(worker, "kill", lambda: killed.append(True))
    if asked:
        worker._asked_at = 0.0
    worker.data_received(encode_frame(json.dumps(said).encode()))
    return bool(killed)


def test_a_worker_is_not_given_what_is_secret_in_the_environment(monkeypatch):
    """The passphrase of a key that it is given open."""
    monkeypatch.setenv("PASS", "correct horse")
    monkeypatch.setenv("PASSAGE", "open")

    environment = module._environment(("PASS", "UNSET"))

    assert "PASS" not in environment
    assert environment["PASSAGE"] == "open"
