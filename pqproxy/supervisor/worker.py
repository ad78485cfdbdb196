"""One worker process and the channel to it.

The worker faces the network, so what it says is judged here: JSON in bounded frames, and one that
breaks the framing is killed. It exits by itself when the channel ends, which is how a supervisor
that is killed leaves no orphan.
"""

import asyncio
import json
import logging
import os
import signal
import site
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, cast

import pqproxy
from pqproxy.config.upstreams import Upstreams
from pqproxy.proxy.channel import (
    MAX_REPORT,
    FrameReader,
    WorkerChange,
    WorkerStart,
    encode_frame,
)
from pqproxy.proxy.handover import HandoverFailed, open_handover, send_sockets
from pqproxy.supervisor.ticket_keys import TicketKeyRing
from pqproxy.telemetry.counters import WorkerCounters
from pqproxy.telemetry.log import LONGEST_MESSAGE, printable
from pqproxy.telemetry.reported import read_seconds

logger = logging.getLogger(__name__)

WORKER_MODULE = "pqproxy.proxy"
Answer = asyncio.Future[str | None]  # to a request of a change: None, or why it cannot be

_AS_LONG_AS_IT_TAKES = 10 * 365 * 86400.0  # seconds
EXIT_GRACE = 2.0  # seconds between a worker's last word and its end


class WorkerOwner(Protocol):
    """Hears what becomes of a worker."""

    ticket_keys: TicketKeyRing

    def worker_ready(self, worker: "WorkerProcess") -> None:
        """It accepts connections."""

    def worker_reported(self, evidence: object) -> None:
        """What it saw of peers since it reported last. Raises ValueError when that is malformed."""

    def worker_forgot(self, gone: WorkerCounters) -> None:
        """These were its last words about listeners that are no more."""

    def worker_exited(self, worker: "WorkerProcess") -> None:
        """The process is gone; called once, last."""


class WorkerProcess(asyncio.Protocol):
    """A running worker; `counters` is its newest report."""

    def __init__(
        self, owner: WorkerOwner, roles: Mapping[str, str], clock: Callable[[], float]
    ) -> None:
        self.pid = 0
        self.ready = False
        self.error: str | None = None  # why it could not start, in its own words
        self.drained: tuple[int, int] | None = None  # connections finished, reset
        self.counters = WorkerCounters({})
        self.oldest: float | None = None  # age of its oldest connection in seconds, when reported
        self.covered: set[int] = set()  # the places for which it accepts too
        self.status: int | None = None  # exit status; negative: killed by that signal
        self.exited = asyncio.Event()
        self.settled = asyncio.Event()  # it is ready, or will never be
        self.relieved = asyncio.Event()  # another one has its place
        self.reach: Upstreams | None = None  # all that it can connect to; None: it is not confined
        self.reported = asyncio.Event()  # set by each answer to `ask`
        self._owner = owner
        self._roles = roles
        self._clock = clock
        self._frames = FrameReader(MAX_REPORT)
        self._transport: asyncio.Transport | None = None
        self._handover: socket.socket | None = None
        self._asked_at: float | None = None
        self._lag = 0.0
        self._question = 0
        self._change: tuple[int, Answer] | None = None  # that an answer is awaited to
        self._unanswered = 0  # rounds
        self._silent = False

    async def start(self, start: WorkerStart, module: str = WORKER_MODULE) -> None:
        """Start the process and tell it everything it will ever know."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._handover, their_handover = open_handover()
        with theirs, their_handover:
            listening = [fd for fds in start.listeners.values() for fd in fds]
            environment = _environment(start.settings.withheld_variables)
            channels = [theirs.fileno(), their_handover.fileno()]
            self._spawn([module, *map(str, channels)], [*channels, *listening], environment)
        ours.setblocking(False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_connection(lambda: self, sock=ours)
        transport.write(encode_frame(start.encode()))
        self.give(self._owner.ticket_keys)

    def give(self, ticket_keys: TicketKeyRing) -> None:
        """Bring it the keys of tickets, which all workers share."""
        self._send({"op": "ticket_keys", "keys": ticket_keys.encode()})

    def drain(self, timeout: float) -> None:
        """Ask it to accept no more, to finish, and to reset what is left after `timeout`."""
        self._send({"op": "drain", "timeout": timeout})

    def relieve(self) -> None:
        """Ask it to accept no more and to go when its last connection has ended by itself."""
        self.relieved.set()
        self.drain(_AS_LONG_AS_IT_TAKES)

    def stop(self) -> None:
        """Ask it to reset everything and to exit."""
        self._send({"op": "stop"})

    def kill(self) -> None:
        """End the process now."""
        if self.status is None and self.pid:
            os.kill(self.pid, signal.SIGKILL)

    def abort(self) -> None:
        """Have it say where it is stuck, and end."""
        if self.status is None and self.pid:
            os.kill(self.pid, signal.SIGABRT)
            asyncio.get_running_loop().call_later(EXIT_GRACE, self.kill)

    def cover(self, number: int, place: int, sockets: Mapping[str, list[socket.socket]]) -> None:
        """Have it accept from the sockets of another place too, by listener, until `uncover`."""
        if self._handover is None:
            return
        try:
            send_sockets(self._handover, number, [one for ones in sockets.values() for one in ones])
        except HandoverFailed as error:
            logger.warning("worker %d cannot accept for another one: %s", self.pid, error)
            return
        counts = {name: len(ones) for name, ones in sockets.items()}
        self._send({"op": "cover", "id": number, "place": place, "sockets": counts})
        self.covered.add(place)

    def uncover(self, place: int) -> None:
        """Leave the sockets of another place to who is there again."""
        self._send({"op": "uncover", "place": place})
        self.covered.discard(place)

    def ask_again(self) -> int:
        """Ask for a report, once in each round; return for how many there was no answer.

        Rounds and not seconds: a machine that was suspended, or a debugger that held us, is no
        fault of the worker.
        """
        self._unanswered = 0 if self._asked_at is None else self._unanswered + 1
        self.ask()
        return self._unanswered

    def ask(self) -> None:
        """Ask for a fresh report, unless it still owes one."""
        if self._asked_at is None and self.ready:
            self.reported.clear()
            self._question += 1
            self._asked_at = self._clock()
            self._send({"op": "snapshot", "id": self._question})

    def prepare(self, number: int, change: WorkerChange, sockets: list[socket.socket]) -> Answer:
        """Ask it to get ready for a change, with these new listening sockets."""
        answer = self._await_answer(number)
        try:
            assert self._handover is not None  # noqa: S101 - it was started
            send_sockets(self._handover, number, sockets)
            self._send({"op": "prepare", "id": number, "change": change.encode()})
        except (HandoverFailed, ValueError) as error:  # ValueError: more than a frame may hold
            self._answered(number, str(error))
        return answer

    def commit(self, number: int) -> Answer:
        """Tell it to change to what it is ready for."""
        answer = self._await_answer(number)
        self._send({"op": "commit", "id": number})
        return answer

    def withdraw(self, change: WorkerChange) -> None:
        """Tell one that was relieved of settings in force: who is revoked goes from there too."""
        try:
            self._send({"op": "withdraw", "change": change.encode()})
        except ValueError as error:  # more than a frame may hold
            logger.error("worker %d cannot be told who is revoked and ends: %s", self.pid, error)
            self.stop()

    def abandon(self) -> None:
        """Tell it to stay as it is."""
        self._change = None
        self._send({"op": "abandon"})

    @property
    def lag(self) -> float:
        """Seconds that its event loop took for the last answer, or keeps us waiting so far."""
        if self._asked_at is None:
            return self._lag
        return max(self._lag, self._clock() - self._asked_at)

    @property
    def active(self) -> int:
        """Connections open at the last report."""
        return sum(counters.clients for counters in self.counters.listeners.values())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's callback)."""
        self._transport = cast(asyncio.Transport, transport)  # a stream socket's always is

    def data_received(self, data: bytes) -> None:
        """Take what it said (asyncio's callback)."""
        try:
            for frame in self._frames.feed(data):
                self._take(json.loads(frame))
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError) as error:
            logger.error("worker %d talks nonsense and is replaced: %s", self.pid, error)
            self.kill()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will be heard (asyncio's callback)."""
        self._silent = True
        asyncio.get_running_loop().call_later(EXIT_GRACE, self.kill)
        self._finish()

    def _take(self, message: dict[str, Any]) -> None:
        match message["event"]:
            case "ready":
                self.ready = True
                self.settled.set()
                self._owner.worker_ready(self)
            case "failed":
                self.error = _words(message["error"])
            case "snapshot":
                self._take_report(message)
            case "prepared" | "committed":
                self._answered(message["id"], None)
            case "unprepared":
                self._answered(message["id"], _words(message["error"]))
            case "drained":
                self.drained = (int(message["finished"]), int(message["reset"]))
            case _:
                raise ValueError("an event that there is not")

    def _take_report(self, message: dict[str, Any]) -> None:
        if self._asked_at is None or message["id"] != self._question:
            raise ValueError("a report that nobody asked for")
        told = message["counters"]
        counters = WorkerCounters({name: self._roles[name] for name in told if name in self._roles})
        counters.merge(told)
        self._owner.worker_reported(message["evidence"])
        gone, self.counters = self.counters.without(counters), counters
        if gone.listeners:
            self._owner.worker_forgot(gone)
        self.oldest = _age(message.get("status"))
        self._lag = self._clock() - self._asked_at
        self._asked_at = None
        self.reported.set()

    def _await_answer(self, number: int) -> Answer:
        answer: Answer = asyncio.get_running_loop().create_future()
        self._change = (number, answer)
        return answer

    def _answered(self, number: int, reason: str | None) -> None:
        """Note an answer; one that nobody waits for any more was late."""
        if self._change is not None and self._change[0] == number:
            answer, self._change = self._change[1], None
            if not answer.done():
                answer.set_result(None if reason is None else f"worker {self.pid}: {reason}")

    def _send(self, message: dict[str, Any]) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(encode_frame(json.dumps(message).encode()))

    def _spawn(
        self, arguments: list[str], descriptors: list[int], environment: dict[str, str]
    ) -> None:
        """Start it, and hear of its end through a pidfd: no thread, no SIGCHLD handler."""
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", *arguments],
            stdin=subprocess.DEVNULL,
            pass_fds=descriptors,
            env=environment,
            process_group=0,  # Ctrl-C is ours to relay, as a drain and not as a KeyboardInterrupt
        )
        self.pid = process.pid
        loop = asyncio.get_running_loop()
        handle = os.pidfd_open(process.pid)

        def gone() -> None:
            loop.remove_reader(handle)
            os.close(handle)
            self.status = process.wait()
            self._finish()

        loop.add_reader(handle, gone)

    def _finish(self) -> None:
        """Report its end once the process is gone *and* its last words are read."""
        if self.status is not None and self._silent:
            self.ready = False
            self.settled.set()
            if self._change is not None:
                self._answered(self._change[0], "it ended meanwhile")
            if self._handover is not None:
                self._handover.close()
            self.reported.set()
            self.exited.set()
            self._owner.worker_exited(self)


def _words(error: object) -> str:
    """What it says went wrong: bounded and escaped, since a command may print it to a terminal."""
    return printable(str(error), LONGEST_MESSAGE)


def _age(status: object) -> float | None:
    """The age of the oldest connection, as reported. Raises ValueError for what is no age."""
    oldest = status.get("oldest") if isinstance(status, dict) else None
    return None if oldest is None else read_seconds(oldest)


def _environment(withheld: Iterable[str]) -> dict[str, str]:
    """Our environment without passphrases, and where this pqproxy is when it runs from source.

    `-P` keeps the current directory out of the worker's imports: a `select.py` lying there must
    not run in the process that holds the keys.
    """
    environment = dict(os.environ)
    for name in withheld:
        environment.pop(name, None)
    root = str(Path(pqproxy.__file__).resolve().parent.parent)
    if root not in site.getsitepackages():
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{known}" if known else root
    return environment
