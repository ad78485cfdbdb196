import logging

from pqproxy.proxy.buffers import LooseBatch
from pqproxy.proxy.poller import ERROR, HANGUP, IN, OUT
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


def test_pausing_and_resuming_costs_no_system_call(world, monkeypatch):
    duplex, _, _ = world.duplex()
    monkeypatch.setattr(world.engine.poller, "_epoll", None)

    duplex.resume()
    duplex.pause()
    duplex.resume()
    monkeypatch.undo()
