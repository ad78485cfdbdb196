import contextlib
import resource
import socket
import struct
import time
from types import SimpleNamespace

import pytest

from pqproxy.config.values import Timeouts
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.splice import Flow, Splice
from pqproxy.proxy.vigil import Vigils
from pqproxy.telemetry.reasons import EndReason

from .sidecars import how_it_ends

UNHURRIED = Timeouts()


class Joined:
    """client <-> splice <-> server, and how it ended."""

    def __init__(self, world, timeouts=UNHURRIED, small=False):
        self.world = world
        ours_a, self.client = world.tcp_pair(small)
        ours_b, self.server = world.tcp_pair(small)
        self.a = SocketDuplex(ours_a, world.engine, CLIENT)
        self.b = SocketDuplex(ours_b, world.engine, UPSTREAM)
        self.reasons = []
        self.vigils = Vigils(timeouts, world.loop)
        self.splice = Splice(self.a, self.b, self.vigils, self.reasons.append)

    def exchange(self):
        self.client.send(b"question")
        assert self.world.read_all(self.server, 8) == b"question"
        self.server.send(b"answer")
        assert self.world.read_all(self.client, 6) == b"answer"


def reset(peer):
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()


def test_bytes_pass_both_ways_and_are_counted(world):
    before = time.monotonic()
    joined = Joined(world)
    joined.exchange()

    assert joined.splice.from_a.bytes == 8
    assert joined.splice.from_b.bytes == 6
    assert before <= joined.splice.from_b.first_byte <= time.monotonic()


def test_a_fin_is_passed_on_as_fin_at_once_and_the_answer_still_comes(world):
    joined = Joined(world)
    joined.client.send(b"question")
    joined.client.shutdown(socket.SHUT_WR)
    assert world.read_all(joined.server, 8) == b"question"
    assert how_it_ends(world, joined.server) == "fin"
    joined.server.send(b"answer")
    assert world.read_all(joined.client, 6) == b"answer"
    assert not joined.reasons

    joined.server.close()
    assert how_it_ends(world, joined.client) == "fin"
    world.until(lambda: joined.reasons)
    assert joined.reasons == [EndReason.FINISHED]
    assert joined.a.closed
    assert joined.b.closed


@pytest.mark.parametrize(
    ("who", "reason"),
    [("client", EndReason.CLIENT_LEFT), ("server", EndReason.UPSTREAM_LEFT)],
)
def test_a_reset_on_one_side_is_a_reset_on_the_other(world, who, reason):
    joined = Joined(world)
    joined.exchange()
    reset(getattr(joined, who))
    other = joined.server if who == "client" else joined.client

    assert how_it_ends(world, other) == "reset"
    assert joined.reasons == [reason]
    assert joined.a.closed
    assert joined.b.closed


def test_a_client_that_resets_while_the_server_does_not_read_frees_it_at_once(world):
    """The upload is stuck and its side paused; only an edge can tell."""
    joined = Joined(world, small=True)
    with contextlib.suppress(BlockingIOError):
        while True:
            joined.client.send(bytes(1 << 20))
            world.turn()
    world.until(lambda: joined.a._paused)
    reset(joined.client)
    world.until(lambda: joined.reasons, seconds=0.1)

    assert joined.reasons == [EndReason.CLIENT_LEFT]


def test_memory_stays_flat_while_a_slow_reader_is_fed_by_a_fast_writer(world):
    """3 MB through buffers of 4 KB: what is not taken stays with the sender."""
    joined = Joined(world, small=True)
    data, received = bytes(1 << 20), 0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = 0

    def moved():
        nonlocal received, peak
        with contextlib.suppress(BlockingIOError):
            joined.server.send(data)
        world.turn(1)
        peak = max(peak, world.pool.copied + world.pool._lent * (1 << 18))
        with contextlib.suppress(BlockingIOError):
            received += len(joined.client.recv(1 << 20))
        return received >= 3 << 20

    world.until(moved, seconds=60)
    assert peak <= 2 << 18  # at most what one read brought
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 8 << 10


def test_a_cut_resets_both_sides(world):
    joined = Joined(world)
    joined.exchange()
    joined.splice.cut(EndReason.DRAINED)
    joined.splice.cut(EndReason.DRAINED)

    assert how_it_ends(world, joined.client) == "reset"
    assert how_it_ends(world, joined.server) == "reset"
    assert joined.reasons == [EndReason.DRAINED]


def test_an_idle_connection_is_cut_after_its_limit_and_not_while_it_moves(world):
    joined = Joined(world, Timeouts(idle=0.2))
    start = world.loop.time()
    for _ in range(6):
        joined.exchange()
        world.pass_time(0.05)
    assert not joined.reasons
    world.until(lambda: joined.reasons)

    assert joined.reasons == [EndReason.IDLE_TIMEOUT]
    assert world.loop.time() - start >= 0.45
    assert how_it_ends(world, joined.client) == "reset"


def test_what_waits_for_a_slow_reader_has_not_been_delivered(world):
    """A read of two megabytes may take him a minute: that is no silence."""
    source, target = SimpleNamespace(), SimpleNamespace(unsent=0, write=lambda batch: True)
    flow = Flow(None, source, target)
    flow.on_data(SimpleNamespace(length=100))
    target.unsent = 60
    before = flow.delivered
    target.unsent = 40

    assert (before, flow.delivered) == (40, 60)


def test_after_a_half_close_silence_before_the_first_byte_is_not_cut(world):
    """A client may half-close and wait minutes for its first token."""
    joined = Joined(world, Timeouts(half_close=0.1))
    joined.exchange()  # bytes from before do not count
    joined.client.shutdown(socket.SHUT_WR)
    assert how_it_ends(world, joined.server) == "fin"
    world.pass_time(0.3)
    assert not joined.reasons

    joined.server.send(b"answer")
    world.until(lambda: joined.reasons)
    assert joined.reasons == [EndReason.HALF_CLOSE_TIMEOUT]
    assert world.read_all(joined.client, 6) == b"answer"
    assert how_it_ends(world, joined.client) == "reset"


def test_nobody_watches_over_a_splice_that_is_done(world):
    joined = Joined(world, Timeouts(idle=0.05, half_close=0.05))
    joined.exchange()
    assert len(joined.vigils.idle) == 1
    joined.client.close()
    assert how_it_ends(world, joined.server) == "fin"
    assert len(joined.vigils.half_close) == 1
    joined.server.close()
    world.until(lambda: joined.reasons)
    assert not len(joined.vigils.idle) + len(joined.vigils.half_close)
    world.pass_time(0.2)

    assert joined.reasons == [EndReason.FINISHED]
