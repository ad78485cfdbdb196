"""The process of the data path: `python -m pqproxy.proxy.worker FD`.

FD is one end of a socket pair; the supervisor at the other says everything there is to know in its
first frame. When the channel ends, the supervisor is gone, and so are we.
"""

import asyncio
import gc
import json
import logging
import signal
import socket
import sys
import time
import warnings
from datetime import UTC, datetime
from typing import Any, cast

from cryptography.utils import CryptographyDeprecationWarning

from pqproxy.config.values import Settings
from pqproxy.crypto import CryptoError, load_provider
from pqproxy.hardening import harden
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import Identity
from pqproxy.identity.trust import Trust
from pqproxy.proxy.buffers import BufferPool
from pqproxy.proxy.channel import FrameReader, WorkerStart, encode_frame
from pqproxy.proxy.confinement import confine_worker
from pqproxy.proxy.descriptor import Engine
from pqproxy.proxy.egress import Egress
from pqproxy.proxy.ingress import Ingress
from pqproxy.proxy.keylog import open_key_log
from pqproxy.proxy.lingering import Lingerers
from pqproxy.proxy.loop import loop_factory
from pqproxy.proxy.poller import Poller
from pqproxy.proxy.service import Service, Worker
from pqproxy.proxy.signer import Signer
from pqproxy.telemetry import log
from pqproxy.telemetry.counters import WorkerCounters

EXIT_GOOD, EXIT_FAILURE, EXIT_CONFIG, EXIT_FORCED = 0, 1, 2, 4

_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    """The clock that certificates are judged by."""
    return datetime.fromtimestamp(time.time(), UTC)


class WorkerProcess(asyncio.Protocol):
    """Runs the services that the supervisor asked for, and answers it."""

    def __init__(self, start: WorkerStart, loop: asyncio.AbstractEventLoop) -> None:
        self._start, self._loop = start, loop
        self._frames = FrameReader()
        self._transport: asyncio.Transport | None = None
        self._counters = WorkerCounters(start.settings.roles)
        poller = Poller(loop)
        self._engine = Engine(poller, BufferPool(), Signer(loop), Lingerers(poller))
        self._services: list[Service] = []
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
                    self._say(event="snapshot", id=message["id"], **self._snapshot())
                case "stop":
                    self.drain(0)

    def connection_lost(self, exc: Exception | None) -> None:
        """The supervisor is gone (asyncio's callback)."""
        self._transport = None
        self.drain(0)

    def _say(self, **message: object) -> None:
        if self._transport is not None:
            self._transport.write(encode_frame(json.dumps(message).encode()))

    def _snapshot(self) -> dict[str, Any]:
        for service in self._services:
            service.count_bytes()
        connections = {
            service.counters.name: service.admission.connections for service in self._services
        }
        return {
            "counters": self._counters.snapshot(),
            "status": {"connections": connections, "kept_bytes": self._engine.pool.copied},
        }

    # The life of the process.

    def begin(self, sockets: dict[str, list[socket.socket]]) -> None:
        """Build the services and accept. Raises IdentityError or CryptoError."""
        settings = self._start.settings
        self._services = build_services(settings, self._engine, self._counters)
        # Everything is loaded, no thread is started, and nobody has been heard yet.
        confine_worker(settings)
        for service in self._services:
            service.listen(sockets.get(service.counters.name, []))
        # What lives from here to the end is never garbage: collections need not look at it.
        gc.collect()
        gc.freeze()
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
        for service in self._services:
            service.stop_listening()
        everything = self._open_connections()
        hurry = asyncio.ensure_future(self._hurry.wait())
        left: set[asyncio.Future[Any]] = set(everything)
        while left and not hurry.done():
            await asyncio.wait({hurry, *left}, return_when=asyncio.FIRST_COMPLETED)
            left = {task for task in left if not task.done()}
        hurry.cancel()
        for service in self._services:
            service.cut()
        if left:
            await asyncio.wait(left)
        reset = len(left)
        self._say(event="drained", finished=len(everything) - reset, reset=reset)
        self.finished.set_result(EXIT_FORCED if reset else EXIT_GOOD)

    def _open_connections(self) -> set[asyncio.Task[None]]:
        return set().union(*(service.tasks for service in self._services))

    def close(self) -> None:
        """Let go of everything; what was said to the supervisor still leaves."""
        if self._transport is not None:
            self._transport.close()
        self._engine.signer.close()
        self._engine.lingerers.close()
        self._engine.poller.close()


def build_services(settings: Settings, engine: Engine, counters: WorkerCounters) -> list[Service]:
    """One service a listener. Raises IdentityError or CryptoError."""
    key_log = None if settings.keylog is None else open_key_log(settings.keylog)
    provider = load_provider(settings.provider)
    worker = Worker(engine, provider, utc_now, key_log, settings.workers)
    now = utc_now()
    identities = {files.name: Identity.load(files, now) for files in settings.identities}
    trust = {files.name: Trust.load(files) for files in settings.trust}
    services: list[Service] = []
    for ingress in settings.ingress:
        own = [identities[name] for name in ingress.identities]
        believed = None if ingress.trust is None else trust[ingress.trust]
        count = counters.listeners[ingress.name]
        services.append(Ingress(ingress, worker, count, own, believed))
    for egress in settings.egress:
        own = [identities[name] for name in egress.identities]
        count = counters.listeners[egress.name]
        services.append(Egress(egress, worker, count, own, trust[egress.trust]))
    return services


async def run(channel: socket.socket, start: WorkerStart) -> int:
    """Serve until the supervisor, or its end, says otherwise. Returns the exit status."""
    loop = asyncio.get_running_loop()
    process = WorkerProcess(start, loop)
    channel.setblocking(False)
    await loop.create_connection(lambda: process, sock=channel)
    loop.add_signal_handler(signal.SIGTERM, process.drain, start.settings.drain.timeout)
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
    # A peer's certificate with an odd serial number would otherwise write to our stderr.
    warnings.simplefilter("ignore", CryptographyDeprecationWarning)
    for number in (signal.SIGINT, signal.SIGHUP):  # those of a terminal are the supervisor's
        signal.signal(number, signal.SIG_IGN)
    channel = socket.socket(fileno=int(arguments[0]))
    start = read_start(channel)
    if start is None:
        return EXIT_FAILURE
    log.configure(start.settings.log.format, start.settings.log.connections, start.log_tty)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(run(channel, start))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
