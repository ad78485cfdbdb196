"""The seven rules of a Duplex, for a stream of a tunnel."""

import pytest

from pqproxy.proxy.buffers import (
    FRAME_HEADER,
    HEADROOM,
    PAYLOAD,
    RECORD_HEADER,
    STRIDE,
    TAILROOM,
    LooseBatch,
)
from pqproxy.proxy.tunnel_sender import MAX_WRITE
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tunnel import ErrorCode, Reset

from .tunnels import Tunnels

WINDOW = 16_384


@pytest.fixture
def tunnels(world):
    return Tunnels(world)


def loose(world, data):
    return LooseBatch(world.pool, [data])


def slots(world, data):
    """As a socket would have read it."""
    batch = world.pool.slots
    for number, start in enumerate(range(0, len(data), PAYLOAD)):
        piece = data[start : start + PAYLOAD]
        batch.payloads[number][: len(piece)] = piece
    batch.length = len(data)
    return batch


def test_what_comes_before_anybody_wants_it_waits(world, tunnels):
    ours = tunnels.egress.open("")
    ours.write(loose(world, b"early"))
    ours.end()
    world.until(lambda: tunnels.opened)
    theirs, _ = tunnels.opened[0]
    world.turn(10)
    _, sink, *_ = tunnels.open()
    theirs.attach(sink)
    assert not sink.events
    theirs.resume()
    assert not sink.events  # rule 2: nothing before the next turn
    world.until(lambda: "end" in sink.events)

    assert sink.received == b"early"
    assert sink.events == ["data", "end"]


def test_a_paused_stream_hands_nothing_on(world, tunnels):
    ours, _, theirs, sink = tunnels.open()
    theirs.pause()
    ours.write(loose(world, b"token"))
    world.pass_time(0.02)
    assert not sink.events
    assert world.pool.copied == theirs.buffered == tunnels.ingress.buffered == 5
    theirs.resume()
    world.until(lambda: sink.received == b"token")

    assert world.pool.copied == theirs.buffered == tunnels.ingress.buffered == 0


def test_what_the_window_does_not_allow_waits_and_pauses_the_writer(world, tunnels):
    ours, our_sink, theirs, sink = tunnels.open()
    theirs.pause()
    data = bytes(range(256)) * (WINDOW // 256 + 10)
    assert not ours.write(loose(world, data))
    world.pass_time(0.02)
    assert not our_sink.events
    theirs.resume()
    world.until(lambda: len(sink.received) == len(data))

    assert sink.received == data
    world.until(lambda: our_sink.events == ["writable"])


def test_an_end_behind_what_waits_comes_last(world, tunnels):
    ours, _, theirs, sink = tunnels.open()
    theirs.pause()
    data = b"x" * (3 * WINDOW)
    ours.write(loose(world, data))
    ours.end()
    theirs.resume()
    world.until(lambda: "end" in sink.events)

    assert sink.received == data
    assert sink.events.count("end") == 1


def test_a_whole_buffer_goes_where_it_was_read_and_arrives_in_order(world):
    tunnels = Tunnels(world, window=1 << 20)
    ours, _, _, sink = tunnels.open()
    small = b"first"
    ours.write(slots(world, small))
    data = bytes(range(251)) * (MAX_WRITE // 251)
    ours.write(slots(world, data))
    ours.write(slots(world, b"last"))
    world.until(lambda: len(sink.received) == len(data) + 9)

    assert sink.received == small + data + b"last"


def test_a_buffer_larger_than_the_window_arrives_whole(world, tunnels):
    ours, our_sink, _, sink = tunnels.open()
    data = bytes(range(249)) * (8 * PAYLOAD // 249)
    assert not ours.write(slots(world, data))
    world.until(lambda: len(sink.received) == len(data))

    assert sink.received == data
    world.until(lambda: "writable" in our_sink.events)


def test_room_is_what_the_window_allows(world, tunnels):
    ours, *_ = tunnels.open()
    assert ours.room() == WINDOW
    ours.write(loose(world, b"x" * 1000))
    assert ours.room() == WINDOW - 1000


def test_of_a_large_window_the_last_crumbs_are_left_until_there_is_more(world):
    """A read of a slot, sent in two pieces, would cost three system calls for one."""
    tunnels = Tunnels(world, window=100_000)
    ours, our_sink, theirs, sink = tunnels.open()
    stream = ours._stream
    stream.largest_grant = 4 * PAYLOAD
    theirs.pause()
    data = b"x" * (100_000 - PAYLOAD)
    assert ours.write(loose(world, data))
    assert not ours.write(loose(world, b"y"))
    assert stream.send_window == PAYLOAD - 1
    world.turn(5)
    assert not our_sink.events
    theirs.resume()
    world.until(lambda: our_sink.events == ["writable"])

    assert sink.received == data + b"y"


def test_what_was_taken_already_goes_into_the_last_crumbs_once_the_socket_drains(world):
    """Nobody reads for it any more: it is here, and the window allows it."""
    tunnels = Tunnels(world, window=100_000)
    ours, _, _, sink = tunnels.open()
    ours._stream.largest_grant = 4 * PAYLOAD
    ours._stream.send_window = PAYLOAD - 1
    sender = tunnels.egress.sender
    sender.blocked = True
    tunnels.egress.tunnel.outbox.block(blocked=True)
    assert not ours.write(loose(world, b"token"))
    assert ours.buffered == 5
    sender.drained()
    world.until(lambda: sink.received == b"token")

    assert ours.buffered == 0


def test_of_a_small_window_all_is_used(world, tunnels):
    ours, *_ = tunnels.open()

    assert ours.write(loose(world, b"x" * (WINDOW - 1)))


def test_bulk_waits_where_it_was_read_until_its_reader_goes_on(world):
    tunnels = Tunnels(world, window=1 << 20)
    ours, _, theirs, sink = tunnels.open()
    theirs.pause()
    data = bytes(range(251)) * (MAX_WRITE // 251)
    for count in (1, 2):
        ours.write(slots(world, data))
        world.until(lambda count=count: theirs.buffered == count * len(data))
    ours.write(loose(world, b"and a token"))
    world.until(lambda: theirs.buffered == 2 * len(data) + 11)
    assert world.pool.copied < len(data)  # the rest is lent
    theirs.resume()
    world.until(lambda: len(sink.received) == 2 * len(data) + 11)

    assert sink.received == data + data + b"and a token"
    assert theirs.buffered == world.pool.copied == 0


def test_a_reader_that_rests_again_has_the_rest_later(world):
    tunnels = Tunnels(world, window=1 << 20)
    ours, _, theirs, sink = tunnels.open()
    theirs.pause()
    data = bytes(range(251)) * (MAX_WRITE // 251)
    for count in (1, 2, 3):
        ours.write(slots(world, data))
        world.until(lambda count=count: theirs.buffered == count * len(data))
    sink._on_data = lambda _: theirs.pause()
    seen = []
    while len(sink.received) < 3 * len(data):
        seen.append(theirs.buffered)
        theirs.resume()
        world.turn(3)

    assert len(seen) > 1
    assert sorted(seen, reverse=True) == seen
    assert sink.received == data * 3


def test_while_others_wait_a_stream_reads_one_slot(world):
    tunnels = Tunnels(world, window=1 << 20)
    ours, *_ = tunnels.open()
    other, *_ = tunnels.open()
    assert ours.room() == MAX_WRITE
    tunnels.egress.sender.wait(other)

    assert ours.room() == PAYLOAD


@pytest.mark.parametrize(
    ("reason", "arrives"),
    [
        (EndReason.UPSTREAM_DOWN, EndReason.UPSTREAM_DOWN),
        (EndReason.UPSTREAM_LEFT, EndReason.UPSTREAM_LEFT),
        (EndReason.DRAINED, EndReason.UPSTREAM_ALERT),
    ],
)
def test_what_happened_there_is_known_here(world, tunnels, reason, arrives):
    ours, sink, theirs, _ = tunnels.open()
    theirs.abort(reason)
    world.until(lambda: sink.events)

    assert sink.events == [arrives]
    assert ours.closed
    assert "the other side said" in ours.said


def test_a_client_that_left_is_told_of_within_the_turn(world, tunnels):
    ours, _, theirs, sink = tunnels.open()
    ours.abort(EndReason.CLIENT_LEFT)
    world.until(lambda: sink.events)

    assert sink.events == [EndReason.CLIENT_LEFT]
    assert theirs.closed


def test_an_aborted_stream_says_and_hears_nothing_more(world, tunnels):
    ours, sink, theirs, their_sink = tunnels.open()
    theirs.write(loose(world, b"too late"))
    ours.abort(EndReason.CLIENT_LEFT)
    ours.abort(EndReason.CLIENT_LEFT)
    ours.end()
    assert not ours.write(loose(world, b"x"))
    world.pass_time(0.02)

    assert sink.events == []
    assert their_sink.events == [EndReason.CLIENT_LEFT]


def test_a_refusal_has_words_of_its_own(world, tunnels):
    ours, sink, theirs, _ = tunnels.open()
    theirs.refuse(Reset(ErrorCode.OVERLOAD, "overload"))
    world.until(lambda: sink.events)

    assert ours.said == "the other side said overload"


def test_what_a_gone_stream_held_is_given_back(world, tunnels):
    ours, _, theirs, _ = tunnels.open()
    theirs.pause()
    ours.write(loose(world, b"x" * (2 * WINDOW)))
    world.pass_time(0.02)
    assert world.pool.copied == 2 * WINDOW
    theirs.abort(EndReason.UPSTREAM_LEFT)
    world.until(lambda: ours.closed)

    assert world.pool.copied == 0
    assert tunnels.budget.left == 1 << 24


def test_headers_of_frames_fit_in_front_of_a_slot():
    assert HEADROOM == 5 + 8


def test_with_frames_the_records_of_a_buffer_leave_no_gaps():
    """So that they leave as one piece."""
    assert STRIDE == RECORD_HEADER + FRAME_HEADER + PAYLOAD + TAILROOM
