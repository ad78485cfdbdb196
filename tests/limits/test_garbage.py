"""A connection that is over is gone: nothing of it, and no key, waits for the garbage collector."""

import functools
import gc
from collections import Counter

import pytest

from pqproxy.proxy.egress import Egress
from pqproxy.proxy.tunnel_egress import TunnelEgress
from pqproxy.tunnel.endpoint import Plan
from tests.unit.proxy.sidecars import Model, connect, egress, ingress


@pytest.fixture
def kept_garbage():
    """What only the garbage collector would have found, of ours and of the library's."""
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    gc.disable()
    yield lambda: gc.collect() and Counter(type(one).__qualname__ for one in gc.garbage)
    gc.enable()
    gc.set_debug(0)
    gc.garbage.clear()


@pytest.mark.parametrize("kind", [Egress, TunnelEgress])
def test_it_leaves_nothing_to_the_garbage_collector(world, monkeypatch, kind, kept_garbage):
    monkeypatch.setattr("pqproxy.proxy.tunnel_fleet.Plan", functools.partial(Plan, spread=1))
    model = Model(world)
    front, address = ingress(world, model.address)
    beside, entry = egress(world, address, kind=kind)
    talk(world, model, entry)  # the first one makes what lives to the end
    world.until(lambda: not of_clients(front) and not of_clients(beside))
    kept_garbage()
    gc.garbage.clear()
    for _ in range(5):
        talk(world, model, entry)
    world.until(lambda: not of_clients(front) and not of_clients(beside))
    world.turn(5)

    assert not kept_garbage()


def of_clients(service):
    return [visit for visit in service.visits if visit.link is None]


def talk(world, model, entry):
    """A question and its answer; then both hang up, the server first."""
    client = connect(world, entry)
    client.send(b"question")
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    server.send(b"answer")
    server.close()
    assert world.read_all(client, 6) == b"answer"
    client.close()
