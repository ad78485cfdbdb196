import contextlib
import os
import socket
import struct
import threading
from dataclasses import replace

import pytest

from pqproxy.proxy.buffers import BULK, PAYLOAD, BufferPool, LooseBatch
from pqproxy.proxy.descriptor import UPSTREAM
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.telemetry.reasons import EndReason

from .conftest import Recorder


def loose(world, data):
    return LooseBatch(world.pool, [memoryview(data)])


def reset(peer):
    """Close so that the other side gets RST."""
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def fill(world, duplex):
    """Write until the kernel takes no more; how many bytes that were."""
    written = 0
    while True:
        written += 100_000
        if not duplex.write(loose(world, bytes(100_000))):
            return written


# Rule 1: born paused; silent after pause().


def test_it_is_born_paused_and_reads_what_waited_once_resumed(world):
    duplex, sink, peer = world.duplex()
    peer.send(b"early")
    world.turn(10)
    assert sink.events == []

    duplex.resume()
    world.until(lambda: sink.received == b"early")


def test_after_pause_returns_no_data_comes(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    peer.send(b"one")
    world.until(lambda: sink.received == b"one")

    duplex.pause()
    peer.send(b"two")
    world.turn(10)
    assert sink.received == b"one"

    duplex.resume()
    world.until(lambda: sink.received == b"onetwo")


def test_a_pause_in_the_middle_of_bulk_stops_after_that_batch(world):
    duplex, sink, peer = world.duplex()
    sink._on_data = lambda _: duplex.pause()
    for _ in range(10):
        with contextlib.suppress(BlockingIOError):
            peer.send(bytes(BULK))
    duplex.resume()
    world.until(lambda: sink.events)
    world.turn(10)

    assert sink.events == ["data"]


def test_a_resume_undone_by_a_pause_before_its_turn_reads_nothing(world):
    duplex, sink, peer = world.duplex()
    peer.send(b"early")
    world.turn()
    duplex.resume()
    duplex.pause()
    world.turn(10)

    assert sink.events == []


# Rules 2 and 3: calls never reach a sink, reads start in turns.


def test_resume_does_not_read_by_itself(world):
    duplex, sink, peer = world.duplex()
    peer.send(b"waiting")
    world.turn()

    duplex.resume()

    assert sink.events == []


def test_an_error_found_while_writing_arrives_in_a_later_turn(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    reset(peer)
    with contextlib.suppress(OSError):
        while duplex.write(loose(world, b"x")):
            pass
    assert sink.events == []
    assert not duplex.closed

    world.until(lambda: sink.events)
    assert sink.events == [EndReason.CLIENT_LEFT]
    assert duplex.closed


def test_abort_is_not_reported_to_the_one_who_asked_for_it(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    duplex.abort(EndReason.IDLE_TIMEOUT)
    world.turn(10)

    assert sink.events == []
    assert duplex.closed
    with pytest.raises(ConnectionResetError):
        peer.recv(1)


# Rule 4: end after all data; each direction once; nothing after an abort.


def test_end_sends_fin_behind_everything_that_still_waits(world):
    duplex, _, peer = world.duplex(small=True)
    duplex.resume()
    written = fill(world, duplex)
    duplex.end()
    duplex.end()
    received = len(world.read_all(peer, written))
    world.until(lambda: ended(peer))

    assert received == written
    assert not duplex.closed  # the peer may still send


def ended(peer):
    try:
        return peer.recv(1) == b""
    except BlockingIOError:
        return False


def test_a_fin_is_reported_once_behind_all_data_and_writing_goes_on(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    peer.send(b"question")
    peer.shutdown(socket.SHUT_WR)
    world.until(lambda: "end" in sink.events)
    assert sink.received == b"question"

    duplex.write(loose(world, b"answer"))
    assert world.read_all(peer, 6) == b"answer"
    world.turn(10)
    assert sink.events.count("end") == 1


def test_when_both_directions_ended_and_all_is_sent_it_closes_and_says_so(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    peer.shutdown(socket.SHUT_WR)
    world.until(lambda: sink.events == ["end"])
    duplex.end()
    assert sink.events == ["end"]  # rule 2 holds here too
    world.until(lambda: sink.events == ["end", "closed"])

    assert duplex.closed
    assert ended(peer)


def test_a_slow_reader_gets_everything_before_it_closes(world):
    duplex, sink, peer = world.duplex(small=True)
    duplex.resume()
    peer.shutdown(socket.SHUT_WR)
    world.until(lambda: sink.events == ["end"])
    written = fill(world, duplex)
    duplex.end()
    world.turn()
    assert not duplex.closed

    assert len(world.read_all(peer, written)) == written
    world.until(lambda: duplex.closed)


def test_nothing_comes_after_an_abort(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    peer.send(b"data")
    world.until(lambda: sink.received)
    reset(peer)
    world.until(lambda: duplex.closed)
    duplex.pause()
    duplex.resume()
    duplex.end()
    assert not duplex.write(loose(world, b"x"))
    duplex.abort(EndReason.DRAINED)
    world.turn(10)

    assert sink.events == ["data", EndReason.CLIENT_LEFT]


def test_a_reset_after_a_half_close_is_still_an_abort(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    peer.shutdown(socket.SHUT_WR)
    world.until(lambda: sink.events == ["end"])
    reset(peer)
    world.until(lambda: duplex.closed)

    assert sink.events == ["end", EndReason.CLIENT_LEFT]


def test_what_came_before_a_reset_is_delivered_while_the_side_reads(world):
    """A server that refuses an upload answers and resets: its answer counts."""
    duplex, sink, peer = world.duplex(side=UPSTREAM)
    peer.send(b"413 too large")
    duplex.write(loose(world, b"upload"))
    duplex.resume()
    reset(peer)  # before the loop turns
    world.until(lambda: duplex.closed)

    assert sink.received == b"413 too large"
    assert sink.events[-1] is EndReason.UPSTREAM_LEFT
    assert "end" not in sink.events


# Rule 5: closed in the middle of it.


def test_closing_inside_on_data_reads_no_further(world):
    duplex, sink, peer = world.duplex()
    sink._on_data = lambda _: duplex.abort(EndReason.DRAINED)
    with contextlib.suppress(BlockingIOError):
        for _ in range(20):
            peer.send(bytes(BULK))
    duplex.resume()
    world.until(lambda: duplex.closed)
    world.turn(10)

    assert sink.events == ["data"]


# Rule 7: paused, and the peer goes.


def test_a_reset_of_a_paused_side_is_noticed_at_once(world):
    _duplex, sink, peer = world.duplex()
    peer.send(b"unread")
    world.turn()
    reset(peer)
    world.until(lambda: sink.events)

    assert sink.events == [EndReason.CLIENT_LEFT]


def test_a_reset_is_noticed_after_being_paused_in_the_middle_of_reading(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    peer.send(b"data")
    world.until(lambda: sink.received)
    duplex.pause()
    peer.send(b"more")
    world.turn()
    reset(peer)
    world.until(lambda: duplex.closed)

    assert sink.events == ["data", EndReason.CLIENT_LEFT]


def test_a_fin_to_a_paused_side_waits_behind_its_data(world):
    duplex, sink, peer = world.duplex()
    peer.send(b"upload")
    peer.close()
    world.turn(10)
    assert sink.events == []

    duplex.resume()
    world.until(lambda: "end" in sink.events)
    assert sink.received == b"upload"


# Back-pressure and buffers.


def test_a_full_socket_says_so_and_says_when_it_takes_more(world):
    duplex, sink, peer = world.duplex(small=True)
    duplex.resume()
    written = fill(world, duplex)
    world.turn(10)
    assert sink.events == []

    assert len(world.read_all(peer, written)) == written
    world.until(lambda: sink.events == ["writable"])
    world.turn(10)
    assert sink.events == ["writable"]
    assert world.pool.copied == 0


def test_bytes_written_while_others_wait_stay_in_order(world):
    duplex, _, peer = world.duplex(small=True)
    duplex.resume()
    written = fill(world, duplex)
    assert not duplex.write(loose(world, b"tail"))

    assert world.read_all(peer, written + 4)[-6:] == b"\0\0tail"


@pytest.mark.parametrize(("small", "largest"), [(False, BULK), (True, PAYLOAD)])
def test_a_read_brings_one_slot_where_that_is_asked_for(world, small, largest):
    duplex, sink, peer = world.duplex()
    lengths = []
    sink._on_data = lambda batch: lengths.append(batch.length)
    if small:
        duplex.read_slot_by_slot()
    peer.setblocking(True)
    writer = threading.Thread(target=peer.sendall, args=(bytes(3 * BULK),))
    writer.start()
    duplex.resume()
    world.until(lambda: len(sink.received) == 3 * BULK)
    writer.join()

    assert PAYLOAD <= max(lengths) <= largest


def test_bulk_arrives_whole_and_in_order(world):
    duplex, sink, peer = world.duplex()
    duplex.resume()
    data = os.urandom(3_000_000)
    sent = 0

    def pushed():
        nonlocal sent
        with contextlib.suppress(BlockingIOError):
            sent += peer.send(data[sent:])
        return sent == len(data)

    world.until(pushed)
    world.until(lambda: len(sink.received) == len(data))

    assert sink.received == data


def test_an_abort_gives_back_what_it_kept(world):
    duplex, _, _ = world.duplex(small=True)
    fill(world, duplex)
    duplex.abort(EndReason.DRAINED)

    assert world.pool.copied == 0
    assert world.pool._lent == 0


def test_slow_readers_stop_nobody_else_however_much_waits_for_them(world):
    """Past the budget reads get smaller; they never stop, or a few clients could stop them all."""
    engine = replace(world.engine, pool=BufferPool(cap=0, budget=50_000))
    slow, _, slow_peer = world.duplex(small=True, engine=engine)
    slow.resume()
    while slow.write(LooseBatch(engine.pool, [memoryview(bytes(100_000))])):
        pass
    assert engine.pool.pressed
    duplex, sink, peer = world.duplex(engine=engine)
    duplex.resume()
    peer.send(bytes(100_000))

    world.until(lambda: len(sink.received) == 100_000)

    slow_peer.close()


def test_a_unix_socket_half_closes_too(world):
    ours, peer = world.unix_pair()
    duplex, sink = SocketDuplex(ours, world.engine, UPSTREAM), Recorder()
    duplex.attach(sink)
    duplex.resume()
    duplex.write(loose(world, b"question"))
    duplex.end()
    assert world.read_all(peer, 8) == b"question"
    assert ended(peer)
    peer.send(b"answer")
    peer.close()
    world.until(lambda: duplex.closed and "closed" in sink.events)

    assert sink.received == b"answer"
    assert sink.events[-2:] == ["end", "closed"]
