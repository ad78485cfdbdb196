"""A tunnel over a real connection, and a peer that wants it to grow, to hang or to break."""

import pytest

from pqproxy.proxy.buffers import PAYLOAD, LooseBatch
from pqproxy.telemetry.reasons import TunnelEnd
from pqproxy.tunnel import ErrorCode, GoAway, Reset
from pqproxy.tunnel.frames import FrameType, frame, window
from tests.limits.rogue import BUDGET, WINDOW, Rogue, data, opened
from tests.unit.proxy.conftest import Recorder

BROKEN = frame(FrameType.PING, 0, b"short")
RESET = Reset(ErrorCode.CANCELLED).encode()


def take(stream):
    """A sink, attached and resumed."""
    sink = Recorder()
    stream.attach(sink)
    stream.resume()
    return sink


def loose(world, content):
    return LooseBatch(world.pool, [content])


def test_a_stream_that_is_opened_beside_a_broken_rule_is_gone_with_the_tunnel(world):
    """Whoever waits for the tunnel's end must hear of it, and the window must come back."""
    rogue = Rogue(world)
    rogue.say(opened(1), BROKEN)
    world.until(lambda: rogue.ended)

    assert rogue.ended == (TunnelEnd.PROTOCOL_ERROR, "PING of 5 bytes")
    assert all(stream.closed for stream in rogue.opened)
    assert rogue.budget.left == BUDGET


@pytest.mark.parametrize("last", [frame(FrameType.RESET, 1, RESET), frame(FrameType.END, 1)])
def test_a_stream_that_ends_beside_a_broken_rule_hears_of_an_end(world, last):
    """Or its connection to the model server would be held for as long as that one likes."""
    rogue = Rogue(world)
    rogue.say(opened(1))
    world.until(lambda: rogue.opened)
    sink = take(rogue.opened[0])
    rogue.opened[0].end()
    rogue.say(last, BROKEN)
    world.until(lambda: rogue.ended)
    world.pass_time(0.02)

    assert rogue.opened[0].closed
    assert sink.events
    assert rogue.budget.left == BUDGET


def test_windows_that_are_granted_to_who_waits_for_a_full_socket_do_not_pile_up(world):
    rogue = Rogue(world, small=True)
    rogue.tls.pause()
    rogue.say(opened(1), window(1, 1 << 24))
    world.until(lambda: rogue.opened)
    stream = rogue.opened[0]
    take(stream)
    world.pass_time(0.02)
    while stream.write(loose(world, b"x" * PAYLOAD)):
        world.turn(1)
    waiting = len(rogue.link.sender._waiting)
    rogue.say(*[window(1, 1)] * 5000)
    world.pass_time(0.05)

    assert stream._stream.send_window % 5000
    assert len(rogue.link.sender._waiting) <= max(waiting, 1)


def unread(rogue):
    """Bytes that the link keeps for a peer that reads nothing."""
    return rogue.link.unsent + rogue.world.pool.copied


def test_answers_to_streams_that_were_reset_are_not_kept_for_who_never_reads(world):
    """A question of a few bytes must not cost us an answer's worth of memory each time."""
    rogue = Rogue(world, small=True)
    rogue.tls.pause()
    answer = b"x" * PAYLOAD
    rogue.on_opened = lambda stream: (
        take(stream),
        stream.write(loose(world, answer)),
    )
    for number in range(1, 401, 2):
        rogue.say(opened(number))
        world.turn(3)
        rogue.say(frame(FrameType.RESET, number, RESET))
    world.until(lambda: len(rogue.opened) == 200 and rogue.opened[-1].closed)

    assert unread(rogue) < 60 * PAYLOAD
    assert rogue.budget.left == BUDGET


@pytest.mark.parametrize("answer", ["refuse", "end"])
def test_what_is_said_of_streams_to_who_never_reads_has_an_end(world, answer):
    rogue = Rogue(world, small=True)
    rogue.tls.pause()

    def turn_away(stream):
        if answer == "refuse":
            stream.refuse(Reset(ErrorCode.OVERLOAD, "overload"))
        else:
            take(stream)
            stream.end()

    rogue.on_opened = turn_away
    rogue.say(opened(1), window(1, 1 << 24))
    number = 1
    while not rogue.ended and number < 100_000:
        number += 2
        rogue.say(opened(number), *[frame(FrameType.END, number)] * (answer == "end"))
        if number % 200 == 1:
            world.turn(3)
    assert rogue.ended
    assert rogue.ended[0] is TunnelEnd.PROTOCOL_ERROR


def test_who_leaves_and_never_reads_holds_no_socket(world):
    """Its place is free from here on, so nobody would count what it holds."""
    rogue = Rogue(world, small=True)
    rogue.say(opened(1), window(1, 1 << 24))
    world.until(lambda: rogue.opened)
    take(rogue.opened[0])
    rogue.tls.pause()
    while not rogue.link.sender.blocked:
        rogue.opened[0].write(loose(world, b"x" * PAYLOAD))
        world.turn(2)
    rogue.tls.end()
    world.until(lambda: rogue.ended)
    world.pass_time(0.05)

    assert rogue.victim.closed
    assert world.pool.copied == 0


def test_everything_leaves_before_the_last_word_of_a_retired_tunnel(world):
    rogue = Rogue(world)
    rogue.say(opened(1), window(1, 1 << 24), frame(FrameType.END, 1))
    world.until(lambda: rogue.opened)
    stream = rogue.opened[0]
    sink = take(stream)
    world.until(lambda: "end" in sink.events)
    rogue.say(frame(FrameType.GOAWAY, 0, GoAway(0).encode()))
    world.until(lambda: rogue.link.going_away)
    for _ in range(40):
        stream.write(loose(world, b"x" * 100 * 125))
    stream.end()
    world.until(lambda: rogue.ended)
    rogue.world.pass_time(0.02)

    received = [payload for kind, _, payload in rogue.frames() if kind is FrameType.DATA]
    assert sum(map(len, received)) == 40 * 100 * 125
    assert FrameType.END in [kind for kind, *_ in rogue.frames()]


def test_nothing_is_opened_after_the_peers_own_farewell(world):
    rogue = Rogue(world)
    rogue.say(opened(1), frame(FrameType.GOAWAY, 0, GoAway(0).encode()), opened(3))
    world.until(lambda: rogue.ended)

    assert rogue.ended[0] is TunnelEnd.PROTOCOL_ERROR
    assert len(rogue.opened) == 1
    assert rogue.opened[0].closed


def test_a_farewell_that_nobody_answers_has_an_end(world, monkeypatch):
    """Who does not close may go on to say PING, and would keep its place for as long."""
    monkeypatch.setattr("pqproxy.proxy.tunnel_link._PATIENCE", 0.1)
    rogue = Rogue(world)
    rogue.polite = False
    rogue.say(frame(FrameType.GOAWAY, 0, GoAway(0).encode()))
    world.until(lambda: rogue.heard_end)
    assert not rogue.ended
    while not rogue.ended:
        rogue.say(frame(FrameType.PING, 0, b"still on"))
        world.pass_time(0.02)

    assert rogue.ended[0] is TunnelEnd.PEER_RETIRED
    assert rogue.victim.closed


def test_small_frames_are_taken_a_turn_at_a_time_and_the_end_behind_them_last(world, monkeypatch):
    """A megabyte of them is half a second of work, for which nobody else's token should wait."""
    monkeypatch.setattr("pqproxy.proxy.tunnel_link._TURN", 0.0)
    rogue = Rogue(world)
    rogue.say(opened(1))
    world.until(lambda: rogue.opened)
    stream = rogue.opened[0]
    take(stream)
    framed = stream._stream
    before, turns = framed.send_window, []
    put_off = rogue.link._put_off

    def note(_, records):
        turns.append(len(records))
        put_off(records)

    monkeypatch.setattr(type(rogue.link), "_put_off", note)
    rogue.say(*[window(1, 1)] * 20_000, frame(FrameType.GOAWAY, 0, GoAway(0).encode()))
    rogue.tls.end()
    world.until(lambda: rogue.ended)

    assert turns
    assert framed.send_window == before + 20_000
    assert rogue.ended[0] is TunnelEnd.PEER_RETIRED
    assert world.pool.copied == 0


def test_what_a_tunnel_put_off_goes_with_it(world, monkeypatch):
    monkeypatch.setattr("pqproxy.proxy.tunnel_link._TURN", 0.0)
    rogue = Rogue(world)
    rogue.say(opened(1), *[window(1, 1)] * 5000, BROKEN, *[window(1, 1)] * 20_000)
    world.until(lambda: rogue.ended)
    world.turn(3)

    assert rogue.ended[0] is TunnelEnd.PROTOCOL_ERROR
    assert rogue.opened[0].closed
    assert world.pool.copied == 0


def test_what_comes_byte_by_byte_costs_no_more_than_its_window(world):
    """Nobody takes from these, yet; each byte came with a header and in a view of its own."""
    rogue = Rogue(world)
    for number in range(1, 21, 2):
        rogue.say(opened(number), *[data(number, b"x")] * WINDOW)
    world.until(lambda: world.pool.copied == 10 * WINDOW)
    assert all(stream.buffered == WINDOW for stream in rogue.opened)
    rogue.say(data(1, b"x"))
    world.until(lambda: rogue.ended)

    assert rogue.ended[1] == "DATA beyond the stream's window"
    assert world.pool.copied == 0


def test_pings_are_answered_once_a_turn(world):
    rogue = Rogue(world, small=True)
    rogue.tls.pause()
    for _ in range(20):
        rogue.say(*[frame(FrameType.PING, 0, b"p" * 8)] * 1000)
        world.turn(2)

    assert rogue.link.unsent < 4096
