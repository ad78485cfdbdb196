"""What streams say leaves once a turn, in turns when the socket is full, and large data at once."""

import pytest

from pqproxy.proxy.buffers import PAYLOAD, LooseBatch

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
    assert sender.is_contended
    sender.ask_for_flush()
    world.until(lambda: len(order) == 40)

    assert order == list(range(40))
    assert not sender.is_contended


def test_a_full_socket_stops_everybody_until_it_has_drained(world):
    tunnels = Tunnels(world, window=1 << 20, small=True)
    ours, our_sink, theirs, _ = tunnels.open()
    theirs.pause()
    for _ in range(100):
        if not ours.write(LooseBatch(world.pool, [b"x" * PAYLOAD])):
            break
        world.turn(1)
    assert tunnels.egress.sender.blocked
    assert tunnels.egress.sender.is_contended
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
