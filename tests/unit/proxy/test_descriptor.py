import logging
import socket
import time

from pqproxy.proxy.buffers import LooseBatch
from pqproxy.proxy.poller import ERROR, HANGUP, IN, OUT
from pqproxy.proxy.socket_options import QUEUE, SWIFT_QUEUE
from pqproxy.telemetry.reasons import EndReason


def test_an_event_is_a_hint_that_the_socket_has_to_confirm(world):
    """A stale event may belong to the descriptor's former owner."""
    duplex, sink, peer = world.duplex()
    duplex.resume()
    duplex.on_events(ERROR | HANGUP | IN | OUT)
    world.turn(10)
    assert sink.events == []

    peer.send(b"alive")
    world.until(lambda: sink.received == b"alive")


def test_a_sink_that_crashes_ends_that_connection_and_hears_of_it(world, caplog):
    def crash(_):
        raise ZeroDivisionError

    duplex, sink, peer = world.duplex()
    sink._on_data = crash
    duplex.resume()
    peer.send(b"x")
    with caplog.at_level(logging.ERROR):
        world.until(lambda: duplex.closed)

    assert sink.events == ["data", EndReason.INTERNAL_ERROR]
    assert "ZeroDivisionError" in caplog.text


def test_a_closed_descriptor_is_out_of_the_poller(world):
    duplex, _, _ = world.duplex()
    assert len(world.engine.poller._handlers) == 1
    duplex.abort(EndReason.DRAINED)

    assert not world.engine.poller._handlers


def test_output_is_watched_from_the_first_partial_send_on_and_asked_for_once(world, monkeypatch):
    """A system call for each partial send would be half of all of them in a bulk transfer."""
    duplex, _, peer = world.duplex(small=True)
    duplex.resume()
    asked = []
    poller = world.engine.poller
    watch = type(poller).watch_output
    monkeypatch.setattr(
        type(poller), "watch_output", lambda self, fd: (asked.append(fd), watch(self, fd))
    )
    total = 0
    for _ in range(3):
        written = 0
        while True:
            written += 50_000
            if not duplex.write(LooseBatch(world.pool, [bytes(50_000)])):
                break
        assert len(world.read_all(peer, written)) == written
        total += written
        world.until(lambda: duplex._unsent is None)

    assert len(asked) == 1


def test_in_a_socket_that_drains_fast_more_may_wait(world):
    """Little cuts bulk in pieces; much waits in memory for who has stopped reading."""
    duplex, _, peer = world.duplex(small=True)
    limits = []
    for drains_in in (0.0, 1.0):
        assert not duplex.write(LooseBatch(world.pool, [bytes(200_000)]))
        duplex._full_at = time.monotonic() + 60 * (not drains_in) - drains_in
        world.read_all(peer, 200_000)
        world.until(lambda: not duplex.unsent)
        limits.append(duplex._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT))

    assert limits == [SWIFT_QUEUE, QUEUE]


def test_pausing_and_resuming_costs_no_system_call(world, monkeypatch):
    duplex, _, _ = world.duplex()
    monkeypatch.setattr(world.engine.poller, "_epoll", None)

    duplex.resume()
    duplex.pause()
    duplex.resume()
    monkeypatch.undo()
