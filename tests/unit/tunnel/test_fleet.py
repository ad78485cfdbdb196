"""The promises of a fleet, held against an enemy: whatever happens, in whatever order."""

import itertools
import math
from collections import Counter
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from pqproxy.tunnel.endpoint import FIRST_WAIT, LONGEST_WAIT, STABLE, Plan, Trouble
from pqproxy.tunnel.fleet import MOST_ADDRESSES, REMEMBER_PLAIN, RESOLVE_EVERY, Choice, Fleet


def trouble(detail):
    return Trouble(detail, "upstream_down", "start it")


@dataclass(eq=False)
class Tunnel:
    """What a fleet sees of one."""

    address: object
    instance: int = 0
    unsent: int = 0
    streams: int = 0
    ends_at: float = math.inf
    takes_streams: bool = True


class Mesh:
    """Names, addresses and workers behind them, and whoever carries a fleet's orders out."""

    def __init__(self, *names, **plan):
        self.now = 1000.0
        self.names = dict.fromkeys(names, ())
        self.workers = {}  # how many at an address; 1 unless said
        self.down, self.plain, self.dying = set(), set(), set()
        self.up = []  # tunnels that take streams
        self.retired = []
        self.dials = []  # (when, address), of all times
        self._numbers = itertools.count()
        self.fleet = Fleet(names, Plan(**plan), Random(1).random)  # noqa: S311 - repeatable

    def carry_out(self):
        """Do what is ordered until nothing is."""
        while True:
            orders = self.fleet.orders(self.now)
            for tunnel, _ in orders.retire:
                self.up.remove(tunnel)
                self.retired.append(tunnel)
            for name in orders.resolve:
                self.resolve(name)
            for address in orders.dial:
                self.dials.append((self.now, address))
                self.answer(address)
            if not (orders.resolve or orders.dial or orders.retire):
                return orders.wake

    def resolve(self, name):
        addresses = self.names[name]
        if addresses is None:
            self.fleet.unresolved(name, trouble(f"{name}: nobody knows"), self.now)
        else:
            self.fleet.resolved(name, addresses, self.now)

    def answer(self, address):
        if address in self.down:
            self.fleet.failed(address, trouble(f"{address}: connection refused"), self.now)
        elif address in self.dying:
            self.fleet.vanished(address, trouble(f"{address}: it left"), self.now)
        elif address in self.plain:
            self.fleet.plain(address, self.now)
        else:
            instance = next(self._numbers) % self.workers.get(address, 1)
            tunnel = Tunnel(address, instance)
            self.up.append(tunnel)
            self.fleet.up(address, tunnel, instance, tunnel.ends_at, self.now)

    def pass_time(self, seconds):
        """Be woken whenever that was asked for."""
        end = self.now + seconds
        while (wake := self.carry_out()) <= end:
            assert wake > self.now, "it wants to be asked again at once"
            self.now = wake
        self.now = end

    def addresses(self):
        return Counter(tunnel.address for tunnel in self.up)


def test_every_address_of_every_name_gets_a_tunnel():
    mesh = Mesh("first", "second")
    mesh.names = {"first": ["a", "b"], "second": ["c", "d"]}
    mesh.carry_out()

    assert mesh.addresses() == {"a": 1, "b": 1, "c": 1, "d": 1}


def test_endpoints_come_and_go_behind_one_name():
    """Two, three, one: each has its tunnel soon, and none is left that nobody names."""
    mesh = Mesh("llm")
    for addresses in (["a", "b"], ["b", "c", "a"], ["c"]):
        mesh.names["llm"] = addresses
        mesh.pass_time(RESOLVE_EVERY * 1.2)
        assert mesh.addresses().keys() == set(addresses)

    assert set(mesh.fleet.endpoints) == {"c"}


def test_streams_are_spread_evenly_whether_they_are_short_or_stay():
    """A request that is over before the next comes leaves no load to compare."""
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a", "b", "c"]
    mesh.carry_out()
    chosen = Counter(mesh.fleet.choose().address for _ in range(300))
    assert chosen == {"a": 100, "b": 100, "c": 100}
    for _ in range(300):
        mesh.fleet.choose().tunnel.streams += 1

    assert [tunnel.streams for tunnel in mesh.up] == [100, 100, 100]


def test_a_stream_takes_the_tunnel_with_the_fewest_unsent_bytes_then_the_fewest_streams():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a", "b", "c"]
    mesh.carry_out()
    for tunnel, unsent, streams in zip(mesh.up, (9, 5, 5), (0, 3, 2), strict=True):
        tunnel.unsent, tunnel.streams = unsent, streams

    assert mesh.fleet.choose().tunnel is mesh.up[2]


def test_a_tunnel_that_takes_no_more_now_is_passed_over():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a", "b"]
    mesh.carry_out()
    mesh.up[0].takes_streams = False
    assert {mesh.fleet.choose().tunnel for _ in range(4)} == {mesh.up[1]}
    mesh.up[1].takes_streams = False

    assert mesh.fleet.choose() is None
    assert not mesh.fleet.hopeful
    assert not list(mesh.fleet.troubles())


def test_instances_behind_one_virtual_address_get_their_shares():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["virtual"]
    mesh.workers["virtual"] = 3
    mesh.carry_out()
    assert Counter(tunnel.instance for tunnel in mesh.up) == {0: 1, 1: 1, 2: 1}
    assert len(mesh.dials) == 8

    chosen = Counter(mesh.fleet.choose().tunnel.instance for _ in range(300))
    assert chosen == {0: 100, 1: 100, 2: 100}


def test_a_worker_that_comes_later_gets_its_share_when_tunnels_are_replaced():
    mesh = Mesh("llm", max_age=3600.0)
    mesh.names["llm"] = ["virtual"]
    mesh.pass_time(60.0)
    assert len(mesh.up) == 1
    mesh.workers["virtual"] = 4
    mesh.pass_time(4000.0)

    assert {tunnel.instance for tunnel in mesh.up} == {0, 1, 2, 3}


def test_a_name_that_cannot_be_resolved_keeps_its_addresses():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a", "b"]
    mesh.pass_time(1.0)
    mesh.names["llm"] = None
    mesh.pass_time(1000.0)

    assert mesh.addresses() == {"a": 1, "b": 1}
    assert list(mesh.fleet.troubles()) == [trouble("llm: nobody knows")]
    assert not mesh.retired


def test_what_a_failure_and_a_return_of_a_name_answer_is_said_once():
    """Each is one line of a log."""
    mesh = Mesh("llm")
    answers = [mesh.fleet.unresolved("llm", trouble("nobody knows"), mesh.now) for _ in range(3)]
    answers += [mesh.fleet.resolved("llm", ["a"], mesh.now) for _ in range(2)]

    assert answers == [True, False, False, True, False]


def test_what_an_ejection_and_a_return_answer_is_said_once():
    mesh = Mesh("llm")
    mesh.fleet.resolved("llm", ["a"], mesh.now)
    said = [mesh.fleet.failed("a", trouble("refused"), mesh.now) for _ in range(3)]
    assert said == [True, False, False]
    said = [mesh.fleet.up("a", Tunnel("a"), 1, math.inf, mesh.now) for _ in range(2)]
    assert said == [True, False]


def test_when_all_are_down_nothing_is_chosen_nothing_hoped_for_and_all_are_named():
    mesh = Mesh("llm", "other")
    mesh.names = {"llm": ["a", "b"], "other": None}
    mesh.down = {"a", "b"}
    assert mesh.fleet.hopeful  # the first dials are under way
    mesh.carry_out()

    assert mesh.fleet.choose() is None
    assert not mesh.fleet.hopeful
    assert [one.detail for one in mesh.fleet.troubles()] == [
        "other: nobody knows",
        "a: connection refused",
        "b: connection refused",
    ]


def test_one_that_leaves_while_it_is_dialled_is_hoped_for_once():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a"]
    mesh.dying = {"a"}
    mesh.carry_out()
    assert mesh.fleet.hopeful
    assert mesh.fleet.choose() is None
    mesh.pass_time(FIRST_WAIT)
    assert not mesh.fleet.hopeful
    mesh.dying.clear()
    mesh.pass_time(LONGEST_WAIT)

    assert mesh.addresses() == {"a": 1}


def test_one_that_is_down_is_left_out_and_comes_back_within_its_back_off():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a", "b"]
    mesh.down = {"a"}
    mesh.pass_time(600.0)
    assert {mesh.fleet.choose().address for _ in range(10)} == {"b"}
    mesh.down.clear()
    mesh.pass_time(LONGEST_WAIT)

    assert {mesh.fleet.choose().address for _ in range(10)} == {"a", "b"}


def test_a_tunnel_that_is_lost_or_goes_away_is_waited_for_and_not_reset_for():
    """Its successor is dialled already: the one endpoint there is has done nothing wrong."""
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a"]
    mesh.pass_time(STABLE)
    mesh.fleet.lost(mesh.up.pop(), trouble("it was reset"), mesh.now)
    assert mesh.fleet.choose() is None
    assert mesh.fleet.hopeful
    mesh.carry_out()
    mesh.fleet.going_away(mesh.up.pop(), mesh.now)
    assert mesh.fleet.choose() is None
    assert mesh.fleet.hopeful
    mesh.pass_time(FIRST_WAIT)

    assert mesh.fleet.choose() is not None


def test_of_a_tunnel_that_was_retired_nothing_is_heard_any_more():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a"]
    mesh.carry_out()
    spare = mesh.retired[0]
    mesh.fleet.going_away(spare, mesh.now)

    assert not mesh.fleet.lost(spare, trouble("it was reset"), mesh.now, broken=True)
    assert not list(mesh.fleet.troubles())


def test_streams_to_a_server_without_tunnels_go_by_connections_of_their_own():
    mesh = Mesh("ours", "theirs")
    mesh.names = {"ours": ["a"], "theirs": ["b"]}
    mesh.plain = {"b"}
    mesh.carry_out()
    choices = [mesh.fleet.choose() for _ in range(2)]
    assert {(choice.address, choice.tunnel is None) for choice in choices} == {
        ("a", False),
        ("b", True),
    }
    mesh.fleet.plain_opened("b")
    assert {mesh.fleet.choose().address for _ in range(4)} == {"a"}
    mesh.fleet.plain_closed("b")

    assert {mesh.fleet.choose().address for _ in range(4)} == {"a", "b"}


def test_a_server_without_tunnels_is_asked_again_after_ten_minutes():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a"]
    mesh.plain = {"a"}
    mesh.pass_time(REMEMBER_PLAIN - 1)
    assert len(mesh.dials) == 1
    mesh.plain.clear()
    assert mesh.fleet.choose() == Choice("a", None)
    mesh.pass_time(2)

    assert mesh.fleet.choose() == Choice("a", mesh.up[0])


def test_a_server_without_tunnels_that_fails_is_ejected_until_it_answers():
    mesh = Mesh("llm")
    mesh.names["llm"] = ["a"]
    mesh.plain = {"a"}
    mesh.carry_out()
    assert mesh.fleet.plain_failed("a", trouble("a: connection refused"), mesh.now)
    assert mesh.fleet.choose() is None
    assert not mesh.fleet.hopeful
    mesh.pass_time(LONGEST_WAIT)

    assert mesh.fleet.choose() == Choice("a", None)


def test_only_so_many_addresses_of_a_name_are_used_and_those_that_are_stay():
    """A server of names that answers in another order each time makes nobody dial anew."""
    mesh = Mesh("llm")
    everything = list(range(1000))
    mesh.names["llm"] = everything
    mesh.carry_out()
    mesh.names["llm"] = everything[::-1]
    mesh.pass_time(600.0)

    assert mesh.addresses() == Counter(range(MOST_ADDRESSES))
    assert not mesh.retired
    assert len(mesh.dials) == MOST_ADDRESSES


@pytest.mark.parametrize("lasting", [True, False])
def test_names_are_resolved_again_unless_they_never_change(lasting):
    mesh = Mesh("llm")
    assert mesh.fleet.orders(mesh.now).resolve == ["llm"]
    assert mesh.fleet.orders(mesh.now).resolve == []
    mesh.fleet.resolved("llm", ["a"], mesh.now, lasting)
    later = mesh.fleet.orders(mesh.now + RESOLVE_EVERY * 1.1)

    assert later.resolve == ([] if lasting else ["llm"])


NAMES = ("one", "two")
ADDRESSES = [(name, number) for name in NAMES for number in range(5)]


class Enemy(RuleBasedStateMachine):
    """Names change, dials fail or hang, tunnels end by themselves, time passes."""

    @initialize(
        count=st.integers(1, 3), age=st.sampled_from([None, 5.0, 100.0]), seed=st.integers()
    )
    def begin(self, count, age, seed):
        self.now, self.count = 0.0, count
        self.fleet = Fleet(NAMES, Plan(count, age), Random(seed).random)  # noqa: S311 - repeatable
        self.current = dict.fromkeys(NAMES, ())
        self.resolving, self.dialling = [], []
        self.up = []
        self.failures = Counter()  # in a row: since a dial succeeded
        self.failed_at = {}  # of those that are ejected
        self.ask()

    def ask(self):
        """Carry out what can be at once; answers are other rules."""
        usable = [one for one in self.up if one.ends_at > self.now]
        orders = self.fleet.orders(self.now)
        for tunnel, _ in orders.retire:
            self.up.remove(tunnel)
        if usable:
            assert self.fleet.choose() is not None, "the last tunnel was retired"
        for address in orders.dial:
            assert address not in self.dialling, "two dials at a time to one address"
            if address in self.failed_at:
                least = min(LONGEST_WAIT, FIRST_WAIT * 2 ** (self.failures[address] - 1)) / 2
                assert self.now >= self.failed_at[address] + least, "dialled before its back-off"
        self.resolving += orders.resolve
        self.dialling += orders.dial
        assert orders.wake > self.now

    @rule(seconds=st.sampled_from([0.01, 0.3, 3.0, 30.0, 300.0]))
    def time_passes(self, seconds):
        self.now += seconds
        self.ask()

    @rule(data=st.data())
    def a_name_is_resolved(self, data):
        if self.resolving:
            name = self.resolving.pop(0)
            mine = [address for address in ADDRESSES if address[0] == name]
            found = data.draw(st.lists(st.sampled_from(mine), min_size=1, unique=True))
            self.current[name] = tuple(found)
            self.fleet.resolved(name, found, self.now)
            self.ask()

    @rule()
    def a_name_is_not_resolved(self):
        if self.resolving:
            self.fleet.unresolved(self.resolving.pop(0), trouble("nobody knows"), self.now)
            self.ask()

    @rule(instance=st.integers(0, 5), lasts=st.sampled_from([math.inf, 0.5, 20.0]))
    def a_dial_succeeds(self, instance, lasts):
        if self.dialling:
            self._succeed(instance, lasts)

    def _succeed(self, instance, lasts=math.inf):
        address = self.dialling.pop(0)
        tunnel = Tunnel(address, instance, ends_at=self.now + lasts)
        self.up.append(tunnel)
        self.fleet.up(address, tunnel, instance, tunnel.ends_at, self.now)
        self.failures[address] = 0
        self.failed_at.pop(address, None)
        self.ask()

    @rule(refused=st.booleans())
    def a_dial_fails(self, refused):
        if self.dialling:
            address = self.dialling.pop(0)
            self.fleet.failed(address, trouble("refused"), self.now, refused)
            self._note_failure(address)

    @rule()
    def a_dial_finds_a_plain_server(self):
        if self.dialling:
            address = self.dialling.pop(0)
            self.fleet.plain(address, self.now)
            self.failures[address] = 0
            self.failed_at.pop(address, None)
            self.ask()

    def _note_failure(self, address):
        self.failures[address] += 1
        self.failed_at[address] = self.now
        self.ask()

    @rule(data=st.data(), broken=st.booleans())
    def a_tunnel_is_lost(self, data, broken):
        if self.up:
            tunnel = self.up.pop(data.draw(st.integers(0, len(self.up) - 1)))
            first = self.fleet.lost(tunnel, trouble("reset"), self.now, broken)
            if first or (broken and tunnel.address in self.failed_at):
                self._note_failure(tunnel.address)
            else:
                self.ask()

    @rule(data=st.data())
    def a_tunnel_goes_away(self, data):
        if self.up:
            tunnel = self.up.pop(data.draw(st.integers(0, len(self.up) - 1)))
            self.fleet.going_away(tunnel, self.now)
            self.ask()

    @rule()
    def everything_succeeds_for_a_while(self):
        """Then every address of every name has its tunnels, and no other has any."""
        for _ in range(500):
            if self.dialling:
                self._succeed(instance=1)
            elif self.resolving:
                name = self.resolving.pop(0)
                self.fleet.resolved(name, self.current[name], self.now)
                self.ask()
            elif self.failed_at:
                self.time_passes(1.0)
            else:
                break
        self.time_passes(3.0)  # of those that went away at once
        while self.dialling:
            self._succeed(instance=1)
        served = {address for name in NAMES for address in self.current[name]}
        plain = {one for one in served if self.fleet.endpoints[one].plain_until is not None}
        up = Counter(tunnel.address for tunnel in self.up)
        assert all(up[address] >= self.count for address in served - plain)
        if served:
            assert up.keys() <= served

    @invariant()
    def tables_stay_small(self):
        if hasattr(self, "fleet"):
            assert len(self.fleet.endpoints) <= len(ADDRESSES)
            assert len(self.fleet._home) == len(self.up)
            assert len(self.fleet._turns) <= len(self.up) + len(ADDRESSES)

    @invariant()
    def a_stream_goes_where_something_is_up(self):
        if hasattr(self, "fleet"):
            choice = self.fleet.choose()
            if self.up:
                assert choice is not None
            if choice is not None and choice.tunnel is not None:
                assert choice.tunnel in self.up


TestEnemy = Enemy.TestCase
TestEnemy.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
