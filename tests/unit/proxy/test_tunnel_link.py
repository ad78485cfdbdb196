"""Many streams over one connection: what leaves when, and what is left when it ends."""

import time

import pytest

from pqproxy.proxy.buffers import PAYLOAD, LooseBatch
from pqproxy.telemetry.reasons import EndReason, TunnelEnd
from pqproxy.tunnel import FrameRun, Role
from pqproxy.tunnel.frames import FrameType, frame

from .tunnels import Tunnels


@pytest.fixture
def tunnels(world):
    return Tunnels(world)


def loose(world, data):
    return LooseBatch(world.pool, [data])


def test_everything_of_one_turn_leaves_in_one_record(world, tunnels):
    streams = [tunnels.open() for _ in range(20)]
    client, _ = tunnels.connections
    sends = []

    class Counting:
        def __init__(self, sock):
            self._sock = sock

        def __getattr__(self, name):
            if name in ("send", "sendmsg"):
                sends.append(name)
            return getattr(self._sock, name)

    client._sock = Counting(client._sock)
    for number, (ours, *_) in enumerate(streams):
        assert ours.write(loose(world, b"token %d" % number))
    assert not sends
    world.until(lambda: all(sink.received for *_, sink in streams))

    assert len(sends) == 1
    assert [bytes(sink.received) for *_, sink in streams] == [
        b"token %d" % number for number in range(20)
    ]


def test_streams_end_apart(world, tunnels):
    ours, sink, theirs, their_sink = tunnels.open()
    other, _, _, other_sink = tunnels.open()
    ours.write(loose(world, b"question"))
    ours.end()
    world.until(lambda: "end" in their_sink.events)
    theirs.write(loose(world, b"answer"))
    theirs.end()
    world.until(lambda: "closed" in sink.events and "closed" in their_sink.events)
    other.write(loose(world, b"still here"))
    world.until(lambda: other_sink.received == b"still here")

    assert sink.received == b"answer"
    assert ours.closed
    assert theirs.closed
    assert tunnels.egress.streams == 1


def test_a_tunnel_that_breaks_resets_its_streams(world, tunnels):
    _, sink, _, their_sink = tunnels.open()
    tunnels.connections[0]._sock.close()
    tunnels.connections[0]._poller._handlers.pop(tunnels.connections[0]._fd)
    world.until(lambda: Role.INGRESS in tunnels.ended)

    assert their_sink.events == [EndReason.CLIENT_LEFT]
    assert tunnels.ended[Role.INGRESS][0] is TunnelEnd.PEER_LEFT
    assert tunnels.budget.left == 1 << 24
    assert sink.events == []


def test_who_breaks_the_framing_is_told_the_rule(world, tunnels):
    *_, their_sink = tunnels.open()
    tunnels.egress.tunnel.outbox.put(FrameType.PING, 0, b"short")
    tunnels.egress.sender.ask_for_flush()
    world.until(lambda: len(tunnels.ended) == 2)

    assert tunnels.ended[Role.INGRESS] == (TunnelEnd.PROTOCOL_ERROR, "PING of 5 bytes")
    end, detail = tunnels.ended[Role.EGRESS]
    assert end is TunnelEnd.PEER_ERROR
    assert "PING of 5 bytes" in detail
    assert their_sink.events == [EndReason.PROTOCOL_ERROR]


def test_a_frame_across_two_records_is_refused(world, tunnels):
    whole = frame(FrameType.PING, 0, b"p" * 8)
    for part in (whole[:4], whole[4:]):
        tunnels.connections[0].write(loose(world, part))
    world.until(lambda: Role.INGRESS in tunnels.ended)

    assert tunnels.ended[Role.INGRESS] == (
        TunnelEnd.PROTOCOL_ERROR,
        "a frame's header spans records",
    )


def test_a_retired_tunnel_serves_its_streams_and_closes(world, tunnels):
    ours, sink, theirs, their_sink = tunnels.open()
    tunnels.ingress.retire()
    world.until(lambda: tunnels.egress.going_away)
    ours.write(loose(world, b"question"))
    ours.end()
    world.until(lambda: "end" in their_sink.events)
    theirs.write(loose(world, b"answer"))
    theirs.end()
    world.until(lambda: len(tunnels.ended) == 2)

    assert sink.received == b"answer"
    assert "closed" in sink.events
    assert tunnels.ended[Role.INGRESS] == (TunnelEnd.RETIRED, "")
    assert tunnels.ended[Role.EGRESS][0] is TunnelEnd.PEER_RETIRED


def test_an_idle_tunnel_that_is_replaced_closes_at_once(world, tunnels):
    tunnels.egress.retire(TunnelEnd.REPLACED)
    world.until(lambda: len(tunnels.ended) == 2)

    assert tunnels.ended[Role.EGRESS] == (TunnelEnd.REPLACED, "")
    assert tunnels.ended[Role.INGRESS][0] is TunnelEnd.PEER_RETIRED


def test_a_failing_stream_takes_no_other_along(world, tunnels, caplog):
    ours, _, theirs, their_sink = tunnels.open()
    other, _, _, other_sink = tunnels.open()

    def fail(batch):
        raise ValueError("a bug")

    their_sink.on_data = fail
    ours.write(loose(world, b"boom"))
    other.write(loose(world, b"fine"))
    world.until(lambda: other_sink.received == b"fine")

    assert theirs.closed
    assert their_sink.events == [EndReason.INTERNAL_ERROR]
    assert "a stream failed inside the proxy" in caplog.text
    assert not tunnels.ended


@pytest.mark.parametrize("word", ["on_end", "on_abort", "on_closed"])
def test_a_stream_that_fails_at_its_end_takes_no_other_along(world, tunnels, caplog, word):
    """Counters, a log line, a place: much happens there, while the tunnel's record is read."""
    ours, _, theirs, their_sink = tunnels.open()
    other, _, _, other_sink = tunnels.open()

    def fail(*_):
        raise ValueError("a bug")

    setattr(their_sink, word, fail)
    if word == "on_closed":
        theirs.end()
        world.turn(5)
    if word == "on_abort":
        ours.abort(EndReason.CLIENT_LEFT)
    else:
        ours.end()
    other.write(loose(world, b"fine"))
    world.until(lambda: other_sink.received == b"fine")

    assert "a stream failed inside the proxy" in caplog.text
    assert not tunnels.ended


def test_a_stream_that_fails_when_its_tunnel_goes_keeps_nobody_from_hearing(world, tunnels):
    *_, theirs, their_sink = tunnels.open()
    *_, other_sink = tunnels.open()

    def fail(_reason):
        raise ValueError("a bug")

    their_sink.on_abort = fail
    tunnels.ingress.close(TunnelEnd.TIMEOUT, "no sign of life")

    assert theirs.closed
    assert len(other_sink.events) == 1
    assert tunnels.ended[Role.INGRESS][0] is TunnelEnd.TIMEOUT


@pytest.fixture
def runs(monkeypatch):
    """How many streams each run that came had data of."""
    streams, take = [], FrameRun.take

    def spy(run, *arguments):
        taken = take(run, *arguments)
        streams.append(len(taken))
        return taken

    monkeypatch.setattr(FrameRun, "take", spy)
    return streams


def write_by_turns(world, rounds, *streams):
    """Four slots of each, one stream after another; returns what each has written."""
    batch = world.pool.slots
    written = []
    for number, stream in enumerate(streams * rounds):
        data = bytes([number]) * (4 * PAYLOAD)
        for slot in range(4):
            batch.payloads[slot][:] = data[:PAYLOAD]
        batch.length = len(data)
        stream.write(batch)
        written.append(data)
    return [b"".join(written[place :: len(streams)]) for place in range(len(streams))]


def test_bulk_of_several_streams_comes_in_runs_and_each_gets_its_own(world, runs):
    tunnels = Tunnels(world, window=1 << 20)
    one, _, _, one_sink = tunnels.open()
    other, _, _, other_sink = tunnels.open()
    first, second = write_by_turns(world, 2, one, other)
    world.until(lambda: len(one_sink.received + other_sink.received) == len(first + second))

    assert (one_sink.received, other_sink.received) == (first, second)
    assert sum(runs) >= 2


def test_a_stream_that_fails_at_bulk_takes_no_other_along(world, runs):
    tunnels = Tunnels(world, window=1 << 20)
    ours, _, theirs, their_sink = tunnels.open()
    other, _, _, other_sink = tunnels.open()
    (before,) = write_by_turns(world, 2, other)  # what follows bulk is read all at once
    world.until(lambda: len(other_sink.received) == len(before))
    their_sink.on_data = lambda batch: 1 / 0
    _, second = write_by_turns(world, 2, ours, other)
    world.until(lambda: len(other_sink.received) == len(before + second))

    assert other_sink.received == before + second
    assert their_sink.events == [EndReason.INTERNAL_ERROR]
    assert theirs.closed
    assert sum(runs) >= 1


def test_bulk_both_ways_past_full_sockets_never_stands_still(world):
    """Two ends with full sockets must not wait for each other."""
    tunnels = Tunnels(world, small=True)
    size = 1_000_000
    data = bytes(range(256)) * (size // 256 + 1)
    streams = [tunnels.open() for _ in range(3)]
    pumps = []
    for ours, sink, theirs, their_sink in streams:
        for stream, own_sink, end in ((ours, sink, their_sink), (theirs, their_sink, sink)):
            pumps.append(Pump(world, stream, own_sink, end, data[:size]))
    world.until(lambda: all(pump.done() for pump in pumps), 60)


def test_what_a_full_socket_left_is_not_overwritten_by_what_another_tunnel_gathers(world):
    """What is gathered lies in a buffer that all tunnels of a worker share."""
    tunnels = Tunnels(world, window=1 << 20, small=True)
    ours, sink, theirs, their_sink = tunnels.open()
    other, _, _, other_sink = tunnels.open()
    data = bytes(range(256)) * (8 * PAYLOAD // 256)
    ours.write(loose(world, data))  # gathered; and with it goes, from where it was read:
    batch = world.pool.slots
    batch.buffer[:] = b"y" * len(batch.buffer)
    batch.length = 8 * PAYLOAD
    other.write(batch)
    assert tunnels.egress.unsent > 8 * PAYLOAD
    theirs.write(loose(world, b"z" * 8 * PAYLOAD))
    world.until(lambda: len(other_sink.received) == len(sink.received) == 8 * PAYLOAD)

    assert their_sink.received == data
    assert other_sink.received == b"y" * 8 * PAYLOAD


class Pump:
    """Writes everything to one stream, as fast as it takes it."""

    def __init__(self, world, stream, sink, end, data):
        self._world, self._stream, self._end, self._data = world, stream, end, data
        self._sent = 0
        sink.on_writable = self._go_on
        self._go_on()

    def _go_on(self):
        while self._sent < len(self._data):
            piece = self._data[self._sent : self._sent + 10_000]
            self._sent += len(piece)
            if not self._stream.write(loose(self._world, piece)):
                return

    def done(self):
        return len(self._end.received) == len(self._data) and self._end.received == self._data


def test_silence_ends_a_tunnel(world, tunnels):
    *_, their_sink = tunnels.open()
    tunnels.ingress.tunnel.liveness.heard(-1e6)
    tunnels.ingress._look()
    world.until(lambda: Role.INGRESS in tunnels.ended)

    assert tunnels.ended[Role.INGRESS] == (TunnelEnd.TIMEOUT, "no sign of life")
    assert their_sink.events == [EndReason.CLIENT_LEFT]


def test_a_ping_is_answered_though_nobody_says_anything(world):
    """Or the round trip that it measures would be that of the next request."""
    tunnels = Tunnels(world)
    world.turn(20)
    measured = []
    tunnels.egress.on_round_trip = measured.append
    tunnels.egress.tunnel.liveness.ping(time.monotonic())
    tunnels.egress.sender.ask_for_flush()

    world.until(lambda: measured, seconds=2.0)
