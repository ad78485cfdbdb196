"""Tunnels among the connections of an egress, with links that a test has made."""

import math

import pytest

from pqproxy.config.values import ConnectionLimits, TcpAddress
from pqproxy.proxy.admission import Admission
from pqproxy.proxy.tunnel_keeper import TunnelKeeper
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry import log
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from pqproxy.tunnel import tunnel as frames

from .tunnels import Tunnels

ENDPOINT = TcpAddress("10.0.0.1", 8443)


class Fleet:
    """Writes down what it hears."""

    def __init__(self):
        self.heard = []

    def going_away(self, link):
        self.heard.append("going away")

    def gone(self, link, endpoint, end, detail):
        self.heard.append((endpoint, end, detail))


class Keeping:
    """A keeper of the egress' link of a pair."""

    def __init__(self, world, **pair):
        self.world, self.fleet, self.visits = world, Fleet(), {}
        self.counters = ListenerCounters("to-llm", "egress")
        self.keeper = TunnelKeeper(self.fleet, self.counters, self.visits)
        self.pair = Tunnels(world, **pair)
        self.link = self.pair.egress
        self.places = Admission(ConnectionLimits())

    def visit(self, peer="10.9.9.9:77"):
        return Visit("to-llm", peer, self.places.join("x"), 0.0, upstream="10.0.0.1:8443")

    def keep(self):
        async def kept():
            return self.keeper.keep(self.link, ENDPOINT, self.visit(), math.inf)

        return self.world.run(kept())


@pytest.fixture
def keeping(world):
    made = Keeping(world)
    yield made
    for visit in made.visits:
        visit.task.cancel()
    world.until(lambda: not made.visits)


def test_a_stream_takes_over_what_its_tunnel_has_proved(world, keeping):
    keeping.keep()
    (tunnel,) = keeping.visits
    tunnel.own_signature, tunnel.peer_signature = "mldsa65", "mldsa87"
    client = keeping.visit()
    keeping.counters.opened()
    stream = keeping.keeper.open(keeping.link, client)

    assert client.upstream_side is client.stream is stream
    assert (client.own_signature, client.peer_signature) == ("mldsa65", "mldsa87")
    assert client.upstream == "10.0.0.1:8443"
    assert keeping.counters.active == {"tls": 0, "stream": 1}
    world.until(lambda: keeping.pair.opened)
    assert keeping.pair.opened[0][1].client == "10.9.9.9:77"


def test_a_tunnel_that_is_spare_at_once_is_not_told_of(world, keeping, lines):
    """To find other instances behind an address takes a few of these at every start."""
    keeping.keep()
    keeping.link.retire(TunnelEnd.RETIRED)
    world.until(lambda: not keeping.visits)

    assert not lines
    assert keeping.counters.tunnels == 0
    assert keeping.fleet.heard == [(ENDPOINT, TunnelEnd.RETIRED, "")]
    assert keeping.places.connections == 0


def test_one_that_is_kept_is_told_of_twice(world, keeping, lines):
    keeping.keep().on_kept()
    assert keeping.counters.tunnels == keeping.counters.active["tls"] == 1
    keeping.pair.ingress.retire(TunnelEnd.RETIRED)
    world.until(lambda: not keeping.visits)

    assert [type(line) for line in lines] == [log.TunnelUpLine, log.TunnelClosedLine]
    assert keeping.counters.tunnels == keeping.counters.active["tls"] == 0
    assert keeping.fleet.heard[0] == "going away"


@pytest.mark.parametrize(
    ("left", "end"), [(None, TunnelEnd.DRAINED), (EndReason.REVOKED, TunnelEnd.REVOKED)]
)
def test_whoever_ends_connections_ends_it_too(world, keeping, lines, left, end):
    """Even before its task has begun."""
    keeping.keep().on_kept()
    (visit,) = keeping.visits
    visit.left = left
    visit.task.cancel()
    world.until(lambda: not keeping.visits)

    assert keeping.link.closed
    assert lines[-1].end_reason is end


def test_a_client_for_whom_there_is_no_window_is_refused(keeping):
    keeping.keep()
    budget = keeping.link.tunnel._budget
    while budget.take(1 << 20):
        pass
    while budget.take(1 << 10):
        pass
    client = keeping.visit()
    with pytest.raises(Ended) as caught:
        keeping.keeper.open(keeping.link, client)

    assert (caught.value.end, caught.value.reason) == (EndReason.REFUSED, ReasonCode.OVERLOAD)
    assert client.stream is None


def test_a_tunnel_whose_numbers_are_used_up_is_replaced(world, keeping, monkeypatch):
    keeping.keep()
    monkeypatch.setattr(frames, "LAST_ID", 3)
    keeping.counters.opened()
    keeping.counters.opened()
    keeping.keeper.open(keeping.link, keeping.visit())
    assert not keeping.fleet.heard
    keeping.keeper.open(keeping.link, keeping.visit())

    assert keeping.fleet.heard == ["going away"]
    assert not keeping.link.takes_streams
