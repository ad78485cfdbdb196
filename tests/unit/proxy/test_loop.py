import asyncio
import socket
import threading
import time

import pytest

from pqproxy.proxy.loop import PollingLoop


class Pong:
    """A handler that answers every byte: with its peer's, data never ends."""

    def __init__(self, sock):
        self.sock, self.act = sock, lambda: None

    def on_events(self, mask):
        self.sock.send(self.sock.recv(1))
        self.act()

    def on_turn(self):
        raise AssertionError("nobody asked")

    def crashed(self):
        raise AssertionError("it did not")


@pytest.fixture
def loop():
    made = PollingLoop()
    yield made
    made.close()


@pytest.fixture
def busy(loop):
    """Two handlers that send each other a byte for as long as the loop goes round."""
    left, right = socket.socketpair()
    with left, right:
        handlers = Pong(left), Pong(right)
        for handler in handlers:
            handler.sock.setblocking(False)
            loop.poller.add(handler.sock.fileno(), handler)
        left.send(b"x")
        yield handlers
        for handler in handlers:
            loop.poller.remove(handler.sock.fileno())


def test_a_callback_asked_for_in_a_handler_runs_though_data_never_ends(loop, busy):
    called = []

    def ask():
        busy[0].act = lambda: None
        loop.call_soon(lambda: (called.append(1), loop.stop()))

    busy[0].act = ask
    loop.run_forever()

    assert called == [1]


def test_a_timer_set_in_a_handler_fires_though_data_never_ends(loop, busy):
    def ask():
        busy[0].act = lambda: None
        loop.call_later(0.01, loop.stop)

    busy[0].act = ask
    began = time.monotonic()
    loop.run_forever()

    assert time.monotonic() - began >= 0.01


def test_a_timer_set_before_fires_though_data_never_ends(loop, busy):
    loop.run_until_complete(asyncio.sleep(0.01))


def test_a_future_is_awaited_from_a_handler(loop, busy):
    future = loop.create_future()
    busy[1].act = lambda: future.done() or future.set_result("done")

    assert loop.run_until_complete(future) == "done"


def test_another_thread_reaches_the_loop_though_data_never_ends(loop, busy):
    thread = threading.Timer(0.01, loop.call_soon_threadsafe, [loop.stop])
    thread.start()
    loop.run_forever()
    thread.join()


def test_a_transport_of_asyncio_works_beside_data(loop, busy):
    async def echoed():
        ours, theirs = socket.socketpair()
        reader, writer = await asyncio.open_connection(sock=ours)
        with theirs:
            theirs.setblocking(False)
            writer.write(b"question")
            question = await loop.sock_recv(theirs, 100)
            await loop.sock_sendall(theirs, b"answer")
            answer = await reader.read(100)
        writer.close()
        await writer.wait_closed()
        return question, answer

    assert loop.run_until_complete(echoed()) == (b"question", b"answer")


def test_an_idle_loop_waits_instead_of_spinning(loop):
    began, cpu = time.monotonic(), time.process_time()
    loop.run_until_complete(asyncio.sleep(0.2))

    assert time.process_time() - cpu < (time.monotonic() - began) / 2
