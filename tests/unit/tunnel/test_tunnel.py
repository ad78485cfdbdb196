"""The rules of the framing: each kept by two of ours, each refused when somebody breaks it."""

import pytest

from pqproxy.tunnel import (
    DATA,
    Came,
    ErrorCode,
    GoAway,
    Open,
    Reset,
    Role,
    Settings,
    Tunnel,
    TunnelError,
)
from pqproxy.tunnel.frames import EVERY_STREAM, FrameType, frame, window
from pqproxy.tunnel.tunnel import LAST_ID, MAX_ENDINGS_UNREAD, MAX_RESETS_UNANSWERED

from .pair import MAX_STREAMS, WINDOW, Pair


def broken(side, now, *frames):
    """The rule that these break."""
    kind, stream, error = side.receive(said(*frames), now)[-1]
    assert kind is Came.BROKEN
    assert stream is None
    return error


def said(*frames):
    """One record."""
    return [memoryview(b"".join(frames))]


def opened(number, **names):
    return frame(FrameType.OPEN, number, Open(**names).encode())


@pytest.fixture
def pair():
    return Pair().up()


@pytest.fixture
def ingress(pair):
    return pair.ingress


def test_each_learns_who_the_other_is_and_how_far():
    pair = Pair()
    events = pair.settle()

    assert [value.instance for kind, _, value in events if kind is Came.UP] == [1, 2]
    assert sum(kind is Came.ROUND_TRIP for kind, _, _ in events) == 8  # four each
    assert pair.egress.takes_streams
    assert not pair.ingress.takes_streams  # it opens none


def test_before_the_settings_of_the_peer_only_settings_are_said():
    pair = Pair()
    assert not pair.egress.takes_streams
    pair.ingress.go_away(ErrorCode.DRAINING, "", pair.now)
    (record,) = pair.ingress.take_records(16, pair.now)

    assert b"".join(record)[3] == FrameType.SETTINGS
    assert len(record) == 1


def test_data_goes_both_ways_and_ends_each_way(pair):
    ours, theirs = pair.open(client="10.0.0.1:99")
    pair.egress.outbox.put_data(ours, b"question")
    pair.egress.end(ours)
    assert pair.move(pair.egress) == [(DATA, theirs, b"question"), (Came.END, theirs, None)]
    pair.ingress.outbox.put_data(theirs, b"answer")
    pair.ingress.end(theirs)
    assert pair.move(pair.ingress) == [(DATA, ours, b"answer"), (Came.END, ours, None)]

    assert ours.gone
    assert theirs.gone
    assert not pair.egress.streams
    assert not pair.ingress.streams


def test_a_reset_ends_both_ways_and_what_is_under_way_is_passed_over(pair):
    ours, theirs = pair.open()
    pair.ingress.outbox.put_data(theirs, b"too late")
    pair.egress.reset(ours, Reset(ErrorCode.CANCELLED, "left"))

    assert pair.move(pair.ingress) == []
    assert pair.move(pair.egress) == [(Came.RESET, theirs, Reset(ErrorCode.CANCELLED, "left"))]
    assert not pair.ingress.streams


def test_a_window_is_opened_again_as_bytes_are_consumed(pair):
    ours, theirs = pair.open()
    pair.egress.outbox.put_data(ours, b"x" * WINDOW)
    pair.settle()
    assert ours.send_window == 0

    assert not pair.ingress.consumed(theirs, WINDOW // 2 - 1)
    assert pair.ingress.consumed(theirs, 1)
    theirs.receive.waited = True
    assert pair.move(pair.ingress) == [(Came.WRITABLE, ours, None)]
    assert ours.send_window == WINDOW // 2


def test_no_grant_follows_the_end_of_a_stream(pair):
    ours, theirs = pair.open()
    pair.egress.outbox.put_data(ours, b"x" * WINDOW)
    pair.egress.end(ours)
    pair.move(pair.egress)

    assert not pair.ingress.consumed(theirs, WINDOW)
    assert pair.move(pair.ingress) == []


def test_streams_beyond_the_limit_are_not_opened(pair):
    for _ in range(MAX_STREAMS):
        pair.open()

    assert not pair.egress.takes_streams
    with pytest.raises(RuntimeError):
        pair.egress.open(Open(), pair.now)


def test_an_open_beyond_the_limit_is_refused_alone(ingress, pair):
    for index in range(MAX_STREAMS + 1):
        events = ingress.receive(said(opened(2 * index + 1)), pair.now)
        assert len(events) == (index < MAX_STREAMS)
    (record,) = ingress.take_records(16, pair.now)

    assert b"".join(record) == frame(FrameType.RESET, 2 * MAX_STREAMS + 1, b"\0\7overload")


def test_an_open_that_no_window_is_left_for_is_refused_alone():
    pair = Pair(budget=3 * WINDOW).up()
    for index in range(4):
        assert len(pair.ingress.receive(said(opened(2 * index + 1)), pair.now)) == (index < 3)

    assert pair.budget.left == 0


def test_our_own_budget_refuses_us():
    pair = Pair(budget=WINDOW).up()
    pair.open()
    with pytest.raises(TunnelError) as raised:
        pair.egress.open(Open(), pair.now)

    assert raised.value.code is ErrorCode.OVERLOAD


def test_a_stream_gives_its_window_back_when_its_owner_is_done(pair):
    before = pair.budget.left
    _, theirs = pair.open()
    theirs.receive.release()

    assert pair.budget.left == before


# Bulk: many records at once, each one frame.


@pytest.mark.parametrize(
    "lengths",
    [[100] * 8, [100] * 7 + [30], [100, 100, 30, 100, 100], [30] + [100] * 7, [100] * 4 + [0, 9]],
)
def test_records_that_come_together_are_taken_as_if_they_came_apart(lengths):
    pieces = [bytes([number]) * length for number, length in enumerate(lengths) if length]
    records = [memoryview(frame(FrameType.DATA, 1, piece)) for piece in pieces]
    came = []
    for together in (True, False):
        ingress = Pair(window=4096).up().ingress
        ((_, stream, _),) = ingress.receive(said(opened(1)), 0.0)
        for batch in [records] if together else [[record] for record in records]:
            came.append([(kind, b"".join(data)) for kind, _, data in ingress.receive(batch, 0.0)])
        assert stream.receive.left == 4096 - sum(lengths)

    assert b"".join(data for _, data in came[0]) == b"".join(pieces)
    assert b"".join(data for batch in came[1:] for _, data in batch) == b"".join(pieces)


@pytest.mark.parametrize(
    "header", ["000064 02 00000003", "000063 02 00000001", "000064 05 00000001"]
)
def test_one_of_them_that_is_something_else_is_not_taken_for_more_of_the_same(header):
    ingress = Pair(window=4096).up().ingress
    ingress.receive(said(opened(1)), 0.0)
    records = [memoryview(frame(FrameType.DATA, 1, b"x" * 100))] * 8
    records[4] = memoryview(bytes.fromhex(header) + b"x" * 100)
    *data, (last, _, error) = ingress.receive(records, 0.0)

    assert last is Came.BROKEN
    assert isinstance(error, TunnelError)
    assert sum(len(piece) for _, _, pieces in data for piece in pieces) in (400, 499)


def test_bulk_beyond_the_window_is_taken_up_to_it_and_refused():
    ingress = Pair(window=450).up().ingress
    ingress.receive(said(opened(1)), 0.0)
    records = [memoryview(frame(FrameType.DATA, 1, b"x" * 100))] * 8
    *data, (last, _, error) = ingress.receive(records, 0.0)

    assert last is Came.BROKEN
    assert "beyond" in error.rule
    assert sum(len(piece) for _, _, pieces in data for piece in pieces) == 400


# Broken rules.

BROKEN = {
    "a header cut off": (b"\0\0\0", "header spans records"),
    "a header of one byte": (b"\0", "header spans records"),
    "a payload cut off": (frame(FrameType.PING, 0, b"p" * 8)[:-1], "spans records"),
    "settings again": (frame(FrameType.SETTINGS, 0), "second time"),
    "settings on a stream": (frame(FrameType.SETTINGS, 1), "on a stream"),
    "ping on a stream": (frame(FrameType.PING, 1, b"p" * 8), "on a stream"),
    "a short ping": (frame(FrameType.PING, 0, b"p"), "PING of 1"),
    "a long pong": (frame(FrameType.PONG, 0, b"p" * 9), "PONG of 9"),
    "an unknown type on a stream": (b"\0\0\0\x63\0\0\0\1", "type 99 on a stream"),
    "an even stream": (opened(2), "not odd"),
    "stream zero": (opened(0), "not odd"),
    "a stream beyond the last": (opened(2**31 + 1), "not odd and below"),
    "a stream of the past": (opened(5) + opened(3), "used before"),
    "a stream twice": (opened(5) + opened(5), "used before"),
    "data for nobody": (frame(FrameType.DATA, 1, b"x"), "never opened"),
    "data for stream zero": (frame(FrameType.DATA, 0, b"x"), "never opened"),
    "an end for nobody": (frame(FrameType.END, 1), "never opened"),
    "a window for nobody": (window(1, 1), "never opened"),
    "a reset for nobody": (frame(FrameType.RESET, 9, b"\0\0"), "never opened"),
    "data after the end": (
        opened(1) + frame(FrameType.END, 1) + frame(FrameType.DATA, 1, b"x"),
        "DATA after END",
    ),
    "data without data": (opened(1) + frame(FrameType.DATA, 1), "DATA without data"),
    "an open after goaway": (
        frame(FrameType.GOAWAY, 0, GoAway(0).encode()) + opened(1),
        "OPEN after GOAWAY",
    ),
    "two ends": (opened(1) + 2 * frame(FrameType.END, 1), "END a second time"),
    "an end with more": (opened(1) + frame(FrameType.END, 1, b"x"), "END with a payload"),
    "more than the window": (
        opened(1) + frame(FrameType.DATA, 1, b"x" * (WINDOW + 1)),
        "beyond the stream's window",
    ),
    "a window of nothing": (opened(1) + window(1, 0), "WINDOW grants 0"),
    "a window that overflows": (opened(1) + window(1, 2**31 - 1), "WINDOW beyond"),
    "an open of nothing": (frame(FrameType.OPEN, 1), "OPEN ends"),
    "a reset of nothing": (opened(1) + frame(FrameType.RESET, 1), "RESET of 0"),
    "a goaway of nothing": (frame(FrameType.GOAWAY, 0), "GOAWAY of 0"),
}


@pytest.mark.parametrize(("frames", "rule"), BROKEN.values(), ids=BROKEN)
def test_a_broken_rule_is_named(ingress, pair, frames, rule):
    error = broken(ingress, pair.now, frames)

    assert rule in error.rule
    assert error.code is ErrorCode.PROTOCOL_ERROR


@pytest.mark.parametrize(
    "first", [frame(FrameType.PING, 0, b"p" * 8), opened(1), frame(FrameType.DATA, 1, b"x")]
)
def test_whoever_does_not_begin_with_settings_is_refused(first):
    assert broken(Pair().ingress, 0.0, first).rule == "the first frame is not SETTINGS"


def test_an_ingress_opens_nothing(pair):
    assert "does not open" in broken(pair.egress, pair.now, opened(1)).rule


def test_a_type_to_come_is_passed_over_where_it_concerns_the_whole_tunnel(ingress, pair):
    assert ingress.receive(said(b"\0\0\2\x63\0\0\0\0xy", opened(1)), pair.now)


def test_records_that_are_too_small_make_no_tunnel():
    with pytest.raises(TunnelError, match="too small"):
        Pair(max_record=1023)


def test_a_window_that_is_exactly_used_up_is_no_offence(ingress, pair):
    events = ingress.receive(said(opened(1), frame(FrameType.DATA, 1, b"x" * WINDOW)), pair.now)

    assert [kind for kind, _, _ in events] == [Came.OPEN, DATA]


def test_a_row_of_streams_opened_and_reset_has_an_end(ingress, pair):
    """Each costs us a dial, and them nothing."""
    reset = Reset(ErrorCode.CANCELLED).encode()
    for index in range(MAX_RESETS_UNANSWERED):
        number = 2 * index + 1
        events = ingress.receive(
            said(opened(number), frame(FrameType.RESET, number, reset)), pair.now
        )
        events[0][1].receive.release()
    number += 2
    error = broken(ingress, pair.now, opened(number), frame(FrameType.RESET, number, reset))

    assert "opened and reset" in error.rule
    assert number in ingress.streams  # so that its owner hears of an end


def test_who_resets_what_was_answered_is_no_nuisance(ingress, pair):
    reset = Reset(ErrorCode.CANCELLED).encode()
    for index in range(2 * MAX_RESETS_UNANSWERED):
        number = 2 * index + 1
        ((_, stream, _),) = ingress.receive(said(opened(number)), pair.now)
        if index % 1000 == 0:
            ingress.outbox.put_data(stream, b"token")
        ingress.receive(said(frame(FrameType.RESET, number, reset)), pair.now)
        stream.receive.release()


def test_what_came_before_a_broken_rule_is_told(ingress, pair):
    """It has changed the streams already: their owners must hear of it."""
    frames = opened(1), opened(3), frame(FrameType.RESET, 1, b"\0\3"), b"\0"
    events = ingress.receive(said(*frames), pair.now)

    assert [kind for kind, _, _ in events] == [Came.OPEN, Came.OPEN, Came.RESET, Came.BROKEN]


@pytest.mark.parametrize("ending", ["refused", "reset", "ended"])
def test_who_opens_and_does_not_read_how_it_ends_has_an_end(ingress, pair, ending):
    if ending == "refused":
        ingress.go_away(ErrorCode.NONE, "", pair.now)
        pair.settle()
    for index in range(MAX_ENDINGS_UNREAD + MAX_STREAMS + 1):
        number = 2 * index + 1
        for _, stream, _ in ingress.receive(said(opened(number)), pair.now):
            if ending == "reset":
                ingress.reset(stream, Reset(ErrorCode.OVERLOAD))
            else:
                ingress.receive(said(frame(FrameType.END, number)), pair.now)
                ingress.end(stream)
            stream.receive.release()

    assert "no answer was read" in broken(ingress, pair.now, opened(number + 2)).rule


def test_endings_that_were_taken_do_not_count(ingress, pair):
    ingress.go_away(ErrorCode.NONE, "", pair.now)
    pair.settle()
    for index in range(2 * MAX_ENDINGS_UNREAD + 2 * MAX_STREAMS):
        assert ingress.receive(said(opened(2 * index + 1)), pair.now) == []
        if index % 1000 == 0:
            while ingress.take_records(16, pair.now):
                pass


# Going away.


def test_an_ingress_goes_in_two_steps_and_serves_what_was_opened_meanwhile(pair):
    pair.ingress.go_away(ErrorCode.DRAINING, "drain", pair.now)
    ours = pair.egress.open(Open(), pair.now)  # crosses the first GOAWAY
    first = pair.move(pair.ingress)
    assert first == [(Came.GOAWAY, None, GoAway(EVERY_STREAM, ErrorCode.DRAINING, "drain"))]
    assert not pair.egress.takes_streams
    assert pair.egress.streams[ours.id] is ours

    opened_there = [stream for kind, stream, _ in pair.move(pair.egress) if kind is Came.OPEN]
    assert len(opened_there) == 1
    (second,) = pair.move(pair.ingress)
    assert second[2] == GoAway(ours.id, ErrorCode.DRAINING, "drain")
    assert not pair.ingress.is_done
    pair.ingress.end(opened_there[0])
    pair.settle()
    pair.egress.end(ours)
    pair.settle()

    assert pair.ingress.is_done
    assert pair.egress.is_done


def test_what_is_opened_after_the_last_word_is_refused_alone(pair):
    pair.ingress.go_away(ErrorCode.NONE, "", pair.now)
    pair.settle()
    assert pair.ingress.receive(said(opened(1)), pair.now) == []
    (record,) = pair.ingress.take_records(16, pair.now)

    assert b"".join(record) == frame(FrameType.RESET, 1, b"\0\x0brefused")


def test_an_egress_just_stops_and_is_done_with_its_last_stream(pair):
    ours, theirs = pair.open()
    pair.egress.go_away(ErrorCode.NONE, "replaced", pair.now)
    assert [kind for kind, _, _ in pair.move(pair.egress)] == [Came.GOAWAY]
    assert not pair.egress.takes_streams
    assert not pair.egress.is_done
    pair.egress.end(ours)
    pair.ingress.end(theirs)
    pair.settle()

    assert pair.egress.is_done
    assert pair.ingress.is_done


def test_going_twice_says_it_once(pair):
    for _ in range(2):
        pair.ingress.go_away(ErrorCode.NONE, "", pair.now)

    assert [kind for kind, _, _ in pair.move(pair.ingress)].count(Came.GOAWAY) == 1


def test_the_last_word_names_what_was_broken(pair):
    pair.open()
    pair.ingress.fail(ErrorCode.PROTOCOL_ERROR, "PING of 3 bytes")
    (event,) = pair.move(pair.ingress)

    assert event[2] == GoAway(1, ErrorCode.PROTOCOL_ERROR, "PING of 3 bytes")


def test_numbers_that_are_used_up_make_it_worn_out(pair):
    pair.egress._last_opened = LAST_ID - 2
    pair.egress.open(Open(), pair.now)

    assert pair.egress.worn_out
    assert not pair.egress.takes_streams


def test_an_egress_without_the_peers_settings_opens_nothing():
    tunnel = Tunnel(Role.EGRESS, Settings(), Pair().budget, 16_384, 0.0)
    with pytest.raises(RuntimeError):
        tunnel.open(Open(), 0.0)
