"""The process of the data path: `python -m pqproxy.proxy CHANNEL HANDOVER`.

Both are descriptors of socket pairs with the supervisor at the other end. Over the channel it says
in its first frame everything there is to know, and what changes later; over the handover come the
listening sockets of such a change. When the channel ends, the supervisor is gone, and so are we.
"""

import asyncio
import faulthandler
import gc
import itertools
import json
import logging
import signal
import socket
import time
import warnings
from datetime import UTC, datetime
from typing import cast

from pqproxy import collector
from pqproxy.config.values import Log
from pqproxy.crypto import CryptoError
from pqproxy.hardening import harden
from pqproxy.identity.errors import IdentityError
from pqproxy.proxy.buffers import BufferPool
from pqproxy.proxy.channel import FrameReader, WorkerChange, WorkerStart, encode_frame
from pqproxy.proxy.confinement import confine_worker
from pqproxy.proxy.descriptor import Engine
from pqproxy.proxy.handover import HandoverFailed, receive_sockets
from pqproxy.proxy.lingering import Lingerers
from pqproxy.proxy.loop import PollingLoop
from pqproxy.proxy.orphan import end_with_parent
from pqproxy.proxy.roster import Roster
from pqproxy.proxy.signer import Signer
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry import log
from pqproxy.telemetry.counters import WorkerCounters

EXIT_GOOD, EXIT_FAILURE, EXIT_CONFIG, EXIT_FORCED = 0, 1, 2, 4
_EMPTY_TUNNELS = 1.0  # seconds for them to end; nobody loses anything with them

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The clock that certificates are judged by."""
    return datetime.fromtimestamp(time.time(), UTC)


class WorkerProcess(asyncio.Protocol):
    """Runs the services that the supervisor asked for, and answers it."""

    def __init__(self, start: WorkerStart, handover: socket.socket, loop: PollingLoop) -> None:
        self.settings = start.settings  # in force
        self._next = start.settings
        self._log_tty = start.log_tty
        self._handover, self._loop = handover, loop
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        lingerers = Lingerers(loop.poller)
        self._engine = Engine(loop.poller, BufferPool(), Signer(loop), lingerers)
        self._roster = Roster(self._engine, WorkerCounters({}), utc_now)
        self._drain_task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()  # the drain is to end now
        self.finished: asyncio.Future[int] = loop.create_future()

    # The channel.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport (asyncio's callback)."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Do what the supervisor asks (asyncio's callback)."""
        for frame in self._frames.feed(data):
            message = json.loads(frame)
            match message["op"]:
                case "drain":
                    self.drain(float(message["timeout"]))
                case "snapshot":
                    self._say(event="snapshot", id=message["id"], **self._roster.snapshot())
                case "ticket_keys":
                    self._roster.ticket_keys.replace(
                        [bytes.fromhex(key) for key in message["keys"]]
                    )
                case "prepare":
                    self._prepare(int(message["id"]), message["change"])
                case "commit":
                    self._commit(int(message["id"]))
                case "abandon":
                    self._roster.abandon()
                case "withdraw":
                    self._withdraw(message["change"])
                case "cover":
                    self._cover(int(message["id"]), int(message["place"]), message["sockets"])
                case "uncover":
                    self._roster.uncover(int(message["place"]))
                case "stop":
                    self.drain(0)

    def connection_lost(self, exc: Exception | None) -> None:
        """The supervisor is gone (asyncio's callback)."""
        self._transport = None
        self.drain(0)

    def _say(self, **message: object) -> None:
        if self._transport is not None:
            self._transport.write(encode_frame(json.dumps(message).encode()))

    def _cover(self, number: int, place: int, counts: dict[str, int]) -> None:
        """Accept for a worker that is not there."""
        try:
            arrived = iter(receive_sockets(self._handover, number, sum(counts.values())))
        except HandoverFailed as error:
            _log.error("cannot accept for another worker: %s", error)
            return
        self._roster.cover(
            place, {name: list(itertools.islice(arrived, count)) for name, count in counts.items()}
        )

    # Changes.

    def _prepare(self, number: int, encoded: str) -> None:
        """Get everything ready for a change, and say whether it can be made."""
        try:
            if self._drain_task is not None:
                raise HandoverFailed("it is leaving")
            change = WorkerChange.decode(encoded)
            self._roster.prepare(change.settings, self._sources(number, change))
        except (IdentityError, CryptoError, OSError, HandoverFailed) as error:
            self._say(event="unprepared", id=number, error=str(error))
        except Exception as error:  # what is in force serves on, whatever is wrong with the new
            _log.exception("a change failed inside the proxy")
            self._say(event="unprepared", id=number, error=repr(error))
        else:
            self._next = change.settings
            self._say(event="prepared", id=number)

    def _sources(self, number: int, change: WorkerChange) -> dict[str, str | list[socket.socket]]:
        counts = [count for count in change.sockets.values() if isinstance(count, int)]
        arrived = iter(receive_sockets(self._handover, number, sum(counts)))
        return {
            name: source if isinstance(source, str) else list(itertools.islice(arrived, source))
            for name, source in change.sockets.items()
        }

    def _commit(self, number: int) -> None:
        self._roster.commit()
        if self._next.log != self.settings.log:
            _configure_log(self._next.log, self._log_tty)
        self.settings = self._next
        self._say(event="committed", id=number)

    def _withdraw(self, encoded: str) -> None:
        """Keep nobody whom the settings that are in force elsewhere do not believe any more."""
        try:
            self._roster.withdraw(WorkerChange.decode(encoded).settings)
        except Exception:  # who is revoked is not known then, and none of them may stay
            _log.exception("revocations cannot be followed, every connection is reset")
            self.drain(0)

    # The life of the process.

    def begin(self, sockets: dict[str, list[socket.socket]]) -> None:
        """Build the services and accept. Raises IdentityError, CryptoError or OSError."""
        self._roster.prepare(self.settings, sockets)
        # Everything is loaded, no thread is started, and nobody has been heard yet.
        confine_worker(self.settings)
        self._roster.commit()
        gc.collect()
        collector.settle()
        self._say(event="ready")

    def fail(self, error: Exception) -> None:
        """Say why we cannot start."""
        self._say(event="failed", error=str(error))
        self.finished.set_result(EXIT_CONFIG)

    def drain(self, timeout: float) -> None:
        """Accept no more, finish what is open, reset what is left after `timeout` seconds.

        Asked again, the shorter patience counts.
        """
        self._loop.call_later(timeout, self._hurry.set)
        if self._drain_task is None and not self.finished.done():
            self._drain_task = self._loop.create_task(self._drain())

    async def _drain(self) -> None:
        self._roster.stop_listening()
        hurry = asyncio.ensure_future(self._hurried())
        seen: set[Visit] = set()
        while (everything := self._roster.visits) and not hurry.done():
            # Through a tunnel that was told to go may still come what was on its way.
            clients = self._roster.clients
            seen |= clients
            patience = None if clients else _EMPTY_TUNNELS
            await asyncio.wait(
                self._departures(clients or everything) | {hurry},
                timeout=patience,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not clients and self._roster.visits == everything:
                break  # peers that do not let go of tunnels with nothing in them
        hurry.cancel()
        departures, left = self._departures(self._roster.visits), self._roster.clients
        self._roster.cut()
        if departures:
            await asyncio.wait(departures)
        reset = len(left)
        self._say(event="drained", finished=len(seen | left) - reset, reset=reset)
        self.finished.set_result(EXIT_FORCED if reset else EXIT_GOOD)

    async def _hurried(self) -> None:
        await self._hurry.wait()

    def _departures(self, visits: set[Visit]) -> set[asyncio.Future[None]]:
        return {visit.departure(self._loop) for visit in visits}

    def close(self) -> None:
        """Let go of everything; what was said to the supervisor still leaves."""
        if self._transport is not None:
            self._transport.close()
        self._engine.signer.close()
        self._engine.lingerers.close()


async def run(channel: socket.socket, handover: socket.socket, start: WorkerStart) -> int:
    """Serve until the supervisor, or its end, says otherwise. Returns the exit status."""
    loop = cast(PollingLoop, asyncio.get_running_loop())
    process = WorkerProcess(start, handover, loop)
    channel.setblocking(False)
    await loop.create_connection(lambda: process, sock=channel)
    loop.add_signal_handler(signal.SIGTERM, lambda: process.drain(process.settings.drain.timeout))
    sockets = {
        name: [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for name, descriptors in start.listeners.items()
    }
    try:
        process.begin(sockets)
    except (IdentityError, CryptoError, OSError) as error:
        process.fail(error)
    try:
        return await process.finished
    finally:
        process.close()
        await asyncio.sleep(0)  # the last frame leaves


def read_start(channel: socket.socket) -> WorkerStart | None:
    """Wait for the first frame; None when the supervisor is gone before it said anything.

    Byte by byte as far as that frame: what follows it belongs to the event loop.
    """
    prefix = _read_exactly(channel, 4)
    payload = prefix and _read_exactly(channel, int.from_bytes(prefix, "big"))
    return WorkerStart.decode(payload) if payload else None


def _read_exactly(channel: socket.socket, count: int) -> bytes | None:
    received = bytearray()
    while len(received) < count:
        data = channel.recv(count - len(received))
        if not data:
            return None
        received += data
    return bytes(received)


def main(arguments: list[str]) -> int:
    """The process, from its first line to its exit status."""
    harden()
    end_with_parent()
    faulthandler.enable()  # says where it was, when it crashes or is aborted
    # A peer's certificate with an odd serial number or country would otherwise write to our stderr.
    warnings.simplefilter("ignore", UserWarning)
    for number in (signal.SIGINT, signal.SIGHUP):  # those of a terminal are the supervisor's
        signal.signal(number, signal.SIG_IGN)
    channel, handover = (socket.socket(fileno=int(descriptor)) for descriptor in arguments)
    start = read_start(channel)
    if start is None:
        return EXIT_FAILURE
    _configure_log(start.settings.log, start.log_tty)
    with asyncio.Runner(loop_factory=PollingLoop) as runner:
        return runner.run(run(channel, handover, start))


def _configure_log(settings: Log, tty: bool) -> None:
    log.configure(settings.format, settings.connections, tty)
