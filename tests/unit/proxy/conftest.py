"""A worker's event loop, turned by hand, and sinks that write down what they hear."""

import asyncio
import contextlib
import socket
import time

import pytest

from pqproxy.proxy.buffers import BufferPool
from pqproxy.proxy.descriptor import CLIENT, Engine
from pqproxy.proxy.lingering import Lingerers
from pqproxy.proxy.loop import PollingLoop
from pqproxy.proxy.signer import Signer
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.socket_options import configure
from tests.support import pki


class World:
    """An event loop with a poller and a pool, turned by hand."""

    def __init__(self, loop):
        self.loop = loop
        self.now = pki.NOW  # by which certificates and tickets are judged
        self.engine = Engine(loop.poller, BufferPool(), Signer(loop), Lingerers(loop.poller))
        self.pool = self.engine.pool
        self.sockets = []
        self.services = []  # whose connections are cut when the test is over

    def turn(self, turns=3):
        """Let the loop go round, without waiting for anything."""
        for _ in range(turns):
            self.loop.run_until_complete(asyncio.sleep(0))

    def until(self, condition, seconds=5.0):
        """Turn until something is true."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "it never came true"
            self.loop.run_until_complete(asyncio.sleep(0.001))

    def pass_time(self, seconds):
        """Turn for a while."""
        self.loop.run_until_complete(asyncio.sleep(seconds))

    def run(self, coroutine):
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, 10))

    def tcp_pair(self, small=False):
        """(ours, the peer's), both with the options of all our sockets."""
        with socket.create_server(("127.0.0.1", 0)) as server:
            configure(server)
            server.setblocking(True)
            if small:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer = socket.socket()
            configure(peer)
            peer.setblocking(True)
            if small:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            peer.connect(server.getsockname())
            ours, _ = server.accept()
        if small:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return self._own(ours, peer)

    def unix_pair(self):
        return self._own(*socket.socketpair())

    def _own(self, ours, peer):
        configure(ours)
        peer.setblocking(False)
        self.sockets += [ours, peer]
        return ours, peer

    def duplex(self, small=False, side=CLIENT, engine=None):
        """(a SocketDuplex with a recording sink, that sink, the peer's socket)."""
        ours, peer = self.tcp_pair(small)
        duplex = SocketDuplex(ours, engine or self.engine, side)
        sink = Recorder()
        duplex.attach(sink)
        return duplex, sink, peer

    def read_all(self, peer, count):
        """What the peer gets, `count` bytes of it."""
        received = bytearray()

        def enough():
            with contextlib.suppress(BlockingIOError):
                while len(received) < count and (data := peer.recv(1 << 20)):
                    received.extend(data)
            return len(received) >= count

        self.until(enough)
        return bytes(received)


class Recorder:
    """A sink that remembers; `data` may be given something to do."""

    def __init__(self, on_data=None):
        self.events = []
        self.received = bytearray()
        self._on_data = on_data

    def on_data(self, batch):
        views = batch.views()
        assert sum(map(len, views)) == batch.length
        for view in views:
            self.received += view
        self.events.append("data")
        if self._on_data is not None:
            self._on_data(batch)

    def on_end(self):
        self.events.append("end")

    def on_abort(self, reason):
        self.events.append(reason)

    def on_writable(self):
        self.events.append("writable")

    def on_closed(self):
        self.events.append("closed")


@pytest.fixture
def world():
    loop = PollingLoop()
    loop.set_exception_handler(lambda _, context: pytest.fail(str(context)))
    made = World(loop)
    yield made
    for service in made.services:
        service.stop_listening()
        service.cut()
    made.until(lambda: not any(service.visits for service in made.services))
    made.engine.signer.close()
    made.engine.lingerers.close()
    for sock in made.sockets:
        sock.close()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


@pytest.fixture
def lines(monkeypatch):
    """The log lines of connections, as they are written."""
    written = []
    monkeypatch.setattr("pqproxy.telemetry.log.write", written.append)
    monkeypatch.setattr("pqproxy.telemetry.log.leaves_out", lambda _: False)
    return written
