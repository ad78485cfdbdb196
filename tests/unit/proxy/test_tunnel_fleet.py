"""A fleet whose tunnels are dialled by hand, and whose names are answered by hand."""

import asyncio
import functools
import math
import socket
from collections import Counter
from dataclasses import replace

import pytest

from pqproxy.config.values import Egress, TcpAddress, Timeouts, Tunnel, UnixAddress
from pqproxy.proxy.tunnel_fleet import Dialled, SpeaksNoTunnels, TunnelFleet
from pqproxy.proxy.visit import Ended
from pqproxy.telemetry import endpoints, log
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from pqproxy.tunnel.endpoint import Plan

ONE, TWO = TcpAddress("10.0.0.1", 8443), TcpAddress("10.0.0.2", 8443)
NAME = TcpAddress("llm.test", 8443)
PATIENT = Timeouts()
SETTINGS = Egress("to-llm", TcpAddress("127.0.0.1", 0), (ONE,), (), "mesh", ("llm",))


class Link:
    """What a tunnel looks like from a fleet."""

    def __init__(self, instance=1):
        self.instance = instance
        self.unsent = self.streams = 0
        self.takes_streams, self.going_away = True, False
        self.retired = None

    def retire(self, end):
        self.retired, self.going_away, self.takes_streams = end, True, False


def refused(address):
    why = f"{address}: connection refused"
    return Ended(EndReason.UPSTREAM_DOWN, why, ReasonCode.UPSTREAM_DOWN)


UNTRUSTED = Ended(EndReason.REFUSED, "nobody knows its root", ReasonCode.UNTRUSTED, "trust it")


class Bench:
    """A fleet, and what its dials meet."""

    def __init__(self, world, *connect, timeouts=PATIENT, **tunnel):
        self.world = world
        self.answers = {}  # by host: Ended, SpeaksNoTunnels, seconds that its tunnels last
        self.then = {}  # after the first time, the same
        self.hanging = set()  # hosts that never answer
        self.dials = Counter()
        self.links, self.kept = [], []
        settings = replace(SETTINGS, connect=connect, timeouts=timeouts, tunnel=Tunnel(**tunnel))
        self.fleet = TunnelFleet(settings, world.engine.poller, self.dial)

    async def dial(self, endpoint):
        host = endpoint.address if isinstance(endpoint.address, str) else endpoint.address[0]
        self.dials[host] += 1
        if host in self.hanging:
            await asyncio.Event().wait()
        answer = self.answers.get(host, math.inf)
        if host in self.then:
            self.answers[host] = self.then.pop(host)
        if isinstance(answer, BaseException):
            raise answer
        link = Link()
        link.endpoint, link.host = endpoint, host
        self.links.append(link)
        return Dialled(link, answer, lambda: self.kept.append(link))

    def start(self):
        self.fleet.start()
        self.world.turn(10)
        return self

    def up(self):
        return [link for link in self.links if not link.retired]

    def chosen(self):
        choice = self.fleet.choose()
        return None if choice is None else choice.endpoint.address[0]


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """One worker behind each address, and no more to look for."""
    monkeypatch.setattr("pqproxy.proxy.tunnel_fleet.Plan", functools.partial(Plan, spread=1))


@pytest.fixture
def bench(world):
    made = []

    def make(*connect, **settings):
        made.append(Bench(world, *connect, **settings))
        return made[-1]

    yield make
    for one in made:
        one.fleet.cut()
    world.turn()


def test_every_endpoint_has_its_tunnel_before_anybody_comes(bench):
    one = bench(ONE, TWO, UnixAddress("/run/next.sock")).start()

    assert one.dials == {"10.0.0.1": 1, "10.0.0.2": 1, "/run/next.sock": 1}
    assert one.fleet.endpoints() == {
        "10.0.0.1:8443": endpoints.Endpoint(1),
        "10.0.0.2:8443": endpoints.Endpoint(1),
        "unix:/run/next.sock": endpoints.Endpoint(1),
    }


def test_nothing_is_dialled_before_it_is_started(bench, world):
    """A reload that is called off has made no connection."""
    one = bench(ONE)
    world.turn(10)

    assert not one.dials


def test_who_comes_while_the_first_dials_are_under_way_waits_for_their_outcome(bench, world):
    one = bench(ONE)
    one.fleet.start()
    assert one.fleet.choose() is None
    choice = world.run(one.fleet.wait())

    assert choice.tunnel is one.links[0]


def test_who_waits_is_told_at_once_when_all_are_down(bench, world, lines):
    one = bench(ONE, TWO, timeouts=Timeouts(connect=None))
    one.answers = {"10.0.0.1": refused(ONE), "10.0.0.2": refused(TWO)}
    one.fleet.start()
    with pytest.raises(Ended) as caught:
        world.run(one.fleet.wait())

    assert caught.value.end is EndReason.UPSTREAM_DOWN
    assert caught.value.reason is ReasonCode.UPSTREAM_DOWN
    assert caught.value.detail == (
        "10.0.0.1:8443: connection refused; 10.0.0.2:8443: connection refused"
    )
    assert "dialled again" in caught.value.fix


def test_when_all_suffer_from_the_same_that_is_what_the_client_ends_for(bench, world, lines):
    """Whoever reads its line need not look for another."""
    one = bench(ONE, TWO)
    one.answers = {"10.0.0.1": UNTRUSTED, "10.0.0.2": UNTRUSTED}
    one.start()
    with pytest.raises(Ended) as caught:
        world.run(one.fleet.wait())
    ended = caught.value

    assert (ended.end, ended.reason) == (EndReason.UPSTREAM_DOWN, ReasonCode.UNTRUSTED)
    assert ended.fix == "trust it"


def test_when_many_are_down_some_are_named(bench, world, lines):
    every = [TcpAddress(f"10.0.0.{n}", 1) for n in range(1, 11)]
    one = bench(*every)
    one.answers = {address.host: refused(address) for address in every}
    one.start()
    with pytest.raises(Ended, match=r"; 10.0.0.4:1: connection refused; and 6 more$"):
        world.run(one.fleet.wait())


def test_who_waits_waits_no_longer_than_a_dial_and_a_handshake_may_take(bench, world):
    one = bench(ONE, timeouts=Timeouts(connect=0.02, handshake=0.03))
    one.hanging = {"10.0.0.1"}
    one.start()
    with pytest.raises(Ended, match=r"no tunnel was up after 0.05 s") as caught:
        world.run(one.fleet.wait())

    assert caught.value.reason is ReasonCode.UPSTREAM_DOWN


def test_one_that_hangs_keeps_nobody_from_those_that_are_up(bench):
    one = bench(ONE, TWO)
    one.hanging = {"10.0.0.1"}
    one.start()

    assert {one.fleet.choose().address.name for _ in range(4)} == {TWO}


def test_an_ejection_and_a_return_are_one_line_each(bench, world, lines, monkeypatch):
    one = bench(ONE, TWO)
    one.answers = {"10.0.0.1": refused(ONE)}
    one.start()
    world.until(lambda: one.dials["10.0.0.1"] >= 3)
    assert [type(line) for line in lines] == [log.EjectedLine]
    one.answers.clear()
    world.until(lambda: len(lines) > 1)
    ejected, returned = lines

    assert (ejected.upstream, ejected.reason) == ("10.0.0.1:8443", ReasonCode.UPSTREAM_DOWN)
    assert ejected.detail == "10.0.0.1:8443: connection refused"
    assert "see whether a server runs" in ejected.fix
    assert returned == log.ReturnedLine("to-llm", "10.0.0.1:8443")


def test_an_ejection_says_what_would_fix_it_and_which_endpoint_it_was(bench, lines):
    one = bench(ONE)
    one.answers = {"10.0.0.1": UNTRUSTED}
    one.start()

    assert lines == [
        log.EjectedLine(
            "to-llm",
            "10.0.0.1:8443",
            ReasonCode.UNTRUSTED,
            "10.0.0.1:8443: nobody knows its root",
            "trust it",
        )
    ]
    assert one.fleet.endpoints()["10.0.0.1:8443"].why == "10.0.0.1:8443: nobody knows its root"


def test_a_dial_that_fails_by_our_own_mistake_is_no_end_of_dialling(bench, world, lines, caplog):
    one = bench(ONE)
    one.answers = {"10.0.0.1": RuntimeError("a bug")}
    one.start()
    assert "a dial failed inside the proxy" in caplog.text
    one.answers.clear()
    world.until(one.up)


def test_a_tunnel_that_breaks_the_rules_is_dialled_again_after_a_while(bench, world, lines):
    one = bench(ONE).start()
    (link,) = one.links
    link.takes_streams = False
    one.fleet.gone(link, link.endpoint, TunnelEnd.PROTOCOL_ERROR, "DATA after END")
    world.turn(10)
    assert one.fleet.choose() is None
    assert len(one.links) == 1
    assert lines[0].reason is ReasonCode.PROTOCOL_ERROR
    assert lines[0].detail == "10.0.0.1:8443: DATA after END"
    world.until(one.fleet.choose)

    assert lines[1:] == [log.ReturnedLine("to-llm", "10.0.0.1:8443")]


def test_a_tunnel_that_goes_away_is_replaced_and_nobody_reset_for_it(bench, world, lines):
    one = bench(ONE).start()
    (link,) = one.links
    link.going_away, link.takes_streams = True, False
    one.fleet.going_away(link)
    choice = world.run(one.fleet.wait())

    assert choice.tunnel is one.links[1]
    assert not lines


def test_one_that_went_away_before_anybody_looked_is_not_taken(bench, world):
    one = bench(ONE)
    dial = one.dial

    async def gone_at_once(endpoint):
        dialled = await dial(endpoint)
        dialled.link.going_away = len(one.links) == 1
        dialled.link.takes_streams = not dialled.link.going_away
        return dialled

    one.fleet._dial = gone_at_once
    one.fleet.start()

    assert world.run(one.fleet.wait()).tunnel is one.links[1]


def test_a_tunnel_is_replaced_before_it_is_retired(bench, world):
    one = bench(ONE, max_age=0.05)  # about a second: they are not replaced sooner
    one.start()
    first = one.links[0]
    world.until(lambda: first.retired is not None)

    assert first.retired is TunnelEnd.REPLACED
    assert one.fleet.choose().tunnel is one.links[1]


def test_a_tunnel_takes_no_streams_beyond_what_its_certificates_allow(bench, world, lines):
    one = bench(ONE)
    one.answers, one.then = {"10.0.0.1": 0.05}, {"10.0.0.1": UNTRUSTED}
    one.start()
    world.until(lambda: one.links[0].retired)

    assert one.links[0].retired is TunnelEnd.EXPIRED
    assert one.fleet.choose() is None


def test_a_server_that_speaks_no_tunnels_is_chosen_without_one(bench, world, lines):
    one = bench(ONE)
    one.answers = {"10.0.0.1": SpeaksNoTunnels()}
    one.start()
    choice = one.fleet.choose()
    assert choice.tunnel is None
    assert one.fleet.endpoints() == {"10.0.0.1:8443": endpoints.Endpoint(plain=True)}
    one.fleet.plain_opened(choice.address)
    one.fleet.plain_failed(choice.address, refused(ONE))
    one.fleet.plain_closed(choice.address)
    with pytest.raises(Ended, match="connection refused"):
        world.run(one.fleet.wait())
    world.until(one.fleet.choose)

    assert [type(line) for line in lines] == [log.EjectedLine, log.ReturnedLine]


def test_when_every_tunnel_is_full_that_is_said(bench, world):
    one = bench(ONE).start()
    one.links[0].takes_streams = False
    with pytest.raises(Ended) as caught:
        world.run(one.fleet.wait())

    assert caught.value.reason is ReasonCode.OVERLOAD


def test_one_too_many_is_told_of_where_a_client_took_it_at_once(bench, world, monkeypatch):
    """The line of that stream names its tunnel, which must not be one that nobody knows."""
    monkeypatch.setattr("pqproxy.proxy.tunnel_fleet.Plan", functools.partial(Plan, spread=2))
    one = bench(ONE)
    taken = []

    async def dial(endpoint):
        dialled = await one.dial(endpoint)
        if len(one.links) == 2:
            taken.append(dialled.link)
            dialled.link.streams = 1
        return dialled

    one.fleet._dial = dial
    one.start()

    (link,) = taken
    assert link.retired is TunnelEnd.RETIRED
    assert one.kept == one.links[:2]
    assert len(one.links) > 2


def test_at_the_end_all_are_retired_and_nothing_is_dialled_any_more(bench, world):
    one = bench(ONE, TWO)
    one.hanging = {"10.0.0.2"}
    one.start()
    one.fleet.end()
    world.turn(5)

    assert [link.retired for link in one.links] == [TunnelEnd.RETIRED]
    one.fleet.cut()
    world.turn(5)
    assert not one.fleet._tasks
    one.fleet.gone(one.links[0], one.links[0].endpoint, TunnelEnd.RETIRED, "")
    world.turn(5)
    assert sum(one.dials.values()) == 2


def test_who_is_being_dialled_at_the_end_is_retired_as_soon_as_it_is_up(bench, world):
    """The other side logs a tunnel that went, and no handshake that broke off."""
    one = bench(ONE)
    dial, go_on = one.dial, asyncio.Event()

    async def slowly(endpoint):
        await go_on.wait()
        return await dial(endpoint)

    one.fleet._dial = slowly
    one.start()
    one.fleet.end()
    go_on.set()
    world.turn(5)

    assert [link.retired for link in one.links] == [TunnelEnd.RETIRED]
    assert not one.fleet._tasks


class Names:
    """A loop that resolves as it is told: `hosts` of one name, or nobody knows."""

    def __init__(self, loop):
        self._loop, self.hosts, self.asked = loop, [], 0

    async def getaddrinfo(self, host, port, **_):
        self.asked += 1
        if not self.hosts:
            raise socket.gaierror(-2, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in self.hosts]

    def __getattr__(self, name):
        return getattr(self._loop, name)


@pytest.fixture
def names(world, monkeypatch):
    """Asked every 50 ms instead of every 30 s."""
    monkeypatch.setattr("pqproxy.tunnel.fleet.RESOLVE_EVERY", 0.05)
    told = Names(world.loop)
    world.engine.poller.loop = told
    yield told
    world.engine.poller.loop = world.loop


def test_two_three_and_one_endpoints_behind_one_name(bench, world, names):
    """Each gets its share as soon as the name has it, and none is cut off when it goes."""
    one = bench(NAME)
    names.hosts = ["10.0.0.1", "10.0.0.2"]
    one.fleet.start()
    for hosts in (names.hosts, ["10.0.0.1", "10.0.0.2", "10.0.0.3"], ["10.0.0.3"]):
        names.hosts = hosts
        world.until(lambda: {link.host for link in one.up()} == set(names.hosts))
        shares = Counter(one.fleet.choose().tunnel.host for _ in range(300))
        assert set(shares.values()) == {300 // len(hosts)}
    world.until(lambda: len(one.fleet.endpoints()) == 1)

    assert one.fleet.endpoints() == {"llm.test:8443 (10.0.0.3)": endpoints.Endpoint(1)}
    assert {link.retired for link in one.links if link.retired} == {TunnelEnd.RETIRED}


def test_a_name_that_fails_keeps_its_addresses_and_is_told_of_once(bench, world, names, lines):
    one = bench(NAME)
    names.hosts = ["10.0.0.1"]
    one.fleet.start()
    world.until(one.up)
    names.hosts, names.asked = [], 0
    world.until(lambda: names.asked >= 3)
    assert one.fleet.choose().tunnel is one.links[0]
    names.hosts = ["10.0.0.1"]
    world.until(lambda: len(lines) > 1)
    failed, returned = lines

    assert failed.upstream == "llm.test:8443"
    assert failed.detail == "llm.test:8443: Name or service not known"
    assert failed.left == 1
    assert returned == log.ReturnedLine("to-llm", "llm.test:8443")
    assert len(one.links) == 1


def test_a_name_that_nobody_knows_is_down_at_once(bench, world, names, lines):
    one = bench(NAME)
    one.fleet.start()
    with pytest.raises(Ended, match=r"llm\.test:8443: Name or service not known"):
        world.run(one.fleet.wait())


def test_a_name_with_more_addresses_than_are_used_is_told_of_once(bench, world, names, caplog):
    one = bench(NAME)
    names.hosts = [f"10.0.{n}.1" for n in range(100)]
    one.fleet.start()
    world.until(lambda: names.asked >= 3)

    assert len(one.up()) == 64
    assert caplog.text.count("has 100 addresses, of which 64 are used") == 1
