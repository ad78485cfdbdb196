"""What streams say leaves once a turn, in turns when the socket is full, and large data at once."""

import pytest

from pqproxy.proxy.buffers import BULK, PAYLOAD, LooseBatch
from pqproxy.proxy.tunnel_sender import MAX_WRITE

from .tunnels import Tunnels


@pytest.fixture
def tunnels(world):
    return Tunnels(world, window=1 << 20)


class Writer:
    def __init__(self, order, name):
        self._order, self._name = order, name

    def go_on(self):
        self._order.append(self._name)


def test_those_who_wait_go_on_in_the_order_in_which_they_came(world, tunnels):
    sender, order = tunnels.egress.sender, []
    for name in range(40):
        sender.wait(Writer(order, name))
    assert sender.room == PAYLOAD
    sender.ask_for_flush()
    world.until(lambda: len(order) == 40)

    assert order == list(range(40))
    assert sender.room == MAX_WRITE


def test_a_full_socket_stops_everybody_until_it_has_drained(world):
    tunnels = Tunnels(world, window=1 << 20, small=True)
    ours, our_sink, theirs, _ = tunnels.open()
    theirs.pause()
    for _ in range(100):
        if not ours.write(LooseBatch(world.pool, [b"x" * PAYLOAD])):
            break
        world.turn(1)
    assert tunnels.egress.sender.blocked
    assert tunnels.egress.sender.room == PAYLOAD
    world.until(lambda: "writable" in our_sink.events)


def test_nothing_is_asked_for_twice_a_turn(world, tunnels):
    sender = tunnels.egress.sender
    sender.ask_for_flush()
    assert sender.flush_asked
    sender.ask_for_flush()

    assert world.loop.poller._flushes.count(sender) == 1


def test_a_closed_tunnel_sends_nothing_more(world, tunnels):
    sender, order = tunnels.egress.sender, []
    sender.close()
    sender.wait(Writer(order, "late"))
    sender.ask_for_flush()
    world.turn(5)

    assert order == []


def write_bulk(world, stream, times):
    batch = world.pool.slots
    for _ in range(times):
        batch.length = 2 * PAYLOAD
        stream.write(batch)
        world.turn(2)


def test_who_has_a_swift_tunnel_to_himself_reads_all_that_fits(world, tunnels):
    ours, *_ = tunnels.open()
    sender = tunnels.egress.sender
    tunnels.connections[0].swift = True
    write_bulk(world, ours, 20)
    assert sender.room == BULK
    other, _, _, other_sink = tunnels.open()
    other.write(LooseBatch(world.pool, [b"token"]))
    write_bulk(world, ours, 1)

    assert sender.room == MAX_WRITE
    world.until(lambda: other_sink.received == b"token")


def test_two_transfers_at_a_time_are_not_alone(world, tunnels):
    """Each would wait for two megabytes of the other, and so would whoever says a word."""
    ours, *_ = tunnels.open()
    other, *_ = tunnels.open()
    tunnels.connections[0].swift = True
    for _ in range(20):
        write_bulk(world, ours, 1)
        write_bulk(world, other, 1)

    assert tunnels.egress.sender.room == MAX_WRITE


def test_a_tunnel_that_drains_slowly_is_given_little_at_once(world, tunnels):
    ours, *_ = tunnels.open()
    tunnels.connections[0].swift = False
    write_bulk(world, ours, 20)

    assert tunnels.egress.sender.room == MAX_WRITE
