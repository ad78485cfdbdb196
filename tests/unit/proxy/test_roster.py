import contextlib
import gc
import os
import socket
import weakref
from dataclasses import replace

import pytest

from pqproxy.config.values import (
    ConnectionLimits,
    Egress,
    Ingress,
    Settings,
    Timeouts,
    TrustFiles,
    Tunnel,
    TunnelMode,
)
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import Identity
from pqproxy.proxy.roster import Roster
from pqproxy.telemetry.counters import WorkerCounters
from pqproxy.tls import Authentication, CipherSuite, Secret, Session
from tests.support import pki

from .sidecars import (
    CLIENT,
    ROOT,
    SERVER,
    STRANGER,
    Model,
    address_of,
    connect,
    how_it_ends,
    listening,
)

TRUST = TrustFiles("mesh", (ROOT.certificate_pem,), "mesh")


class House:
    """A roster whose egress `to-llm` connects to its own ingress `llm`, before a model server."""

    def __init__(self, world, tunnel=TunnelMode.NEVER):
        self.world = world
        self.model = Model(world)
        inner, outer = listening(), listening()
        self.entry = address_of(outer)
        self.settings = Settings(
            identities=(SERVER.files("server"), CLIENT.files("client")),
            trust=(TRUST,),
            ingress=(
                Ingress(
                    "llm", address_of(inner), self.model.address, ("server",), "mesh",
                    allow=("spiffe://corp/ns/apps/sa/*",),
                ),
            ),
            egress=(
                Egress(
                    "to-llm", self.entry, (address_of(inner),), ("client",), "mesh",
                    expect=("spiffe://corp/ns/apps/sa/llm",), tunnel=Tunnel(tunnel),
                ),
            ),
        )  # fmt: skip
        self.roster = Roster(world.engine, WorkerCounters({}), lambda: pki.NOW)
        world.services.append(self.roster)
        self.roster.prepare(self.settings, {"llm": [inner], "to-llm": [outer]})
        self.roster.commit()

    def service(self, name):
        return self.roster._services[name]

    def with_egress(self, **changes):
        return replace(self.settings, egress=(replace(self.settings.egress[0], **changes),))

    def without_egress(self):
        return replace(self.settings, egress=())

    def change(self, settings, **sources):
        """Prepare and commit; a listener keeps its own sockets where nothing else is said."""
        names = [one.name for one in (*settings.ingress, *settings.egress)]
        self.roster.prepare(settings, {**{name: name for name in names}, **sources})
        self.roster.commit()
        self.settings = settings

    def stream(self):
        """(client, server) of a joined connection."""
        client = connect(self.world, self.entry)
        server = self.model.accept()
        return client, server

    def flows(self, client, server):
        client.send(b"question")
        server.send(b"answer")
        return (
            self.world.read_all(server, 8) == b"question"
            and self.world.read_all(client, 6) == b"answer"
        )

    def counters(self):
        return self.roster.snapshot()["counters"]


@pytest.fixture
def house(world):
    return House(world)


def refused(address):
    with contextlib.closing(socket.socket()) as client:
        return client.connect_ex((address.host, address.port)) != 0


def test_what_is_the_same_keeps_its_service(house):
    """Whatever it remembers stays good: nothing that it was judged by has changed."""
    before = house.service("llm"), house.service("to-llm")
    house.change(replace(house.settings, workers=1))

    assert (house.service("llm"), house.service("to-llm")) == before


def test_after_a_reload_no_session_of_before_is_resumed(house, world, lines):
    """Not even where nothing changed: a server proves itself anew."""
    house.roster.ticket_keys.replace([bytes(32)])
    seen = []
    for change in (False, False, True, False):
        if change:
            house.change(house.settings)
        client, server = house.stream()
        assert house.flows(client, server)
        client.close()
        server.close()
        world.until(lambda: len(lines) == 2 * len(seen) + 2)
        seen.append([line.resumed for line in lines[-2:]])

    assert seen == [[None, None], [True, True], [None, None], [True, True]]


def test_a_changed_listener_opens_no_ticket_of_before_and_gives_new_ones(house, world, lines):
    house.roster.ticket_keys.replace([bytes(32)])
    front = house.service("llm")._config.tickets
    session = Session(
        CipherSuite.TLS_AES_128_GCM_SHA256,
        Secret(bytes(32)),
        Authentication.made((), b"", pki.NOW.timestamp()),
        int(pki.NOW.timestamp()) + 60,
    )
    ticket = front.seal(session, os.urandom)
    assert front.open(ticket) == session
    (ingress,) = house.settings.ingress
    changed = replace(ingress, allow=(*ingress.allow, "spiffe://corp/ns/more/sa/app"))
    house.change(replace(house.settings, ingress=(changed,)))
    after = house.service("llm")._config.tickets

    assert after.open(ticket) is None
    assert after.open(after.seal(session, os.urandom)) == session


def test_a_changed_listener_leaves_open_streams_alone_and_keeps_its_socket(house):
    client, server = house.stream()
    before = house.service("to-llm")
    house.change(house.with_egress(timeouts=Timeouts(connect=3.0)))

    assert house.service("to-llm") is not before
    assert house.flows(client, server)
    assert house.flows(*house.stream())


def test_new_connections_meet_the_new_settings(house, world, lines):
    client, server = house.stream()
    house.change(house.with_egress(expect=("spiffe://corp/ns/apps/sa/another",)))
    connect(world, house.entry)
    world.until(lambda: any(getattr(line, "reason", None) == "not_allowed" for line in lines))

    assert house.flows(client, server)


def test_an_exchanged_certificate_is_shown_to_the_next_connection(house, world, lines):
    """Same name, same path, other content."""
    stranger = replace(STRANGER.files("client"), source=house.settings.identities[1].source)
    house.change(replace(house.settings, identities=(house.settings.identities[0], stranger)))
    connect(world, house.entry)
    world.until(lambda: any(getattr(line, "reason", None) == "not_allowed" for line in lines))

    assert any("spiffe://corp/ns/other/sa/app" in str(line) for line in lines)


def test_whoever_is_in_counts_within_the_new_limits(house, world, lines):
    house.stream()
    house.change(house.with_egress(limits=ConnectionLimits(connections=1)))
    connect(world, house.entry)
    world.until(lambda: any("connections: 1" in str(line) for line in lines))

    house.change(house.with_egress(limits=ConnectionLimits(connections=2)))
    assert house.flows(*house.stream())


def test_counters_go_on_over_a_change(house):
    assert house.flows(*house.stream())
    house.change(house.with_egress(padding=None))
    assert house.flows(*house.stream())

    counted = house.counters()["to-llm"]
    assert counted["bytes"] == [16, 12, 12, 16]
    assert counted["active"]["tls"] == 2


def test_a_removed_listener_stops_accepting_and_its_streams_go_on(house):
    client, server = house.stream()
    house.change(house.without_egress())

    assert refused(house.entry)
    assert house.flows(client, server)


def test_who_was_in_the_queue_of_a_removed_listener_is_served(house, world):
    waiting = connect(world, house.entry)  # nobody turned the loop: it is not accepted yet
    house.change(house.without_egress())

    assert house.flows(waiting, house.model.accept())


def test_a_removed_listener_is_told_of_until_its_last_connection_ended(house, world):
    """And once more, so that nothing is lost: then a report does not carry it for ever."""
    client, server = house.stream()
    assert house.flows(client, server)
    house.change(house.without_egress())
    assert house.counters()["to-llm"]["active"]["tls"] == 1
    client.close()
    server.close()
    world.until(lambda: not house.roster.visits)

    last = house.counters()["to-llm"]
    assert last["active"]["tls"] == 0
    assert last["bytes"] == [8, 6, 6, 8]
    assert "to-llm" not in house.counters()


def test_a_name_that_comes_back_counts_on_while_its_old_connections_live(house):
    client, server = house.stream()
    before = house.settings
    house.change(house.without_egress())
    outer = listening()
    house.entry = address_of(outer)
    house.change(before, **{"to-llm": [outer]})
    assert house.flows(client, server)
    assert house.flows(*house.stream())

    assert house.counters()["to-llm"]["active"]["tls"] == 2


def test_a_moved_listener_accepts_at_the_new_address_only(house, world):
    client, server = house.stream()
    waiting = connect(world, house.entry)
    old, outer = house.entry, listening()
    house.entry = address_of(outer)
    house.change(house.with_egress(listen=house.entry), **{"to-llm": [outer]})

    assert refused(old)
    assert house.flows(client, server)
    assert house.flows(waiting, house.model.accept())
    assert house.flows(*house.stream())


def test_two_listeners_may_exchange_their_addresses(house):
    """Bound anew, each would find its port in use by the other."""
    other = listening()
    swapped = address_of(other)
    second = replace(house.settings.egress[0], name="second", listen=swapped)
    both = replace(house.settings, egress=(house.settings.egress[0], second))
    house.change(both, second=[other])
    first = replace(house.settings.egress[0], listen=swapped)
    house.change(
        replace(both, egress=(first, replace(second, listen=house.entry))),
        **{"to-llm": "second", "second": "to-llm"},
    )
    house.stream()

    assert house.counters()["second"]["active"]["tls"] == 1


def test_a_renamed_listener_keeps_its_socket(house):
    client, server = house.stream()
    house.change(house.with_egress(name="renamed"), renamed="to-llm")
    assert house.flows(*house.stream())
    assert house.flows(client, server)

    counted = house.counters()
    assert counted["to-llm"]["active"]["tls"] == counted["renamed"]["active"]["tls"] == 1


def test_what_cannot_be_built_changes_nothing_and_leaves_no_socket(house):
    client, server = house.stream()
    expired = ROOT.issue(uris=("spiffe://corp/ns/apps/sa/app",), not_after=pki.PAST)
    extra = listening()
    bad = replace(
        house.with_egress(padding=None),
        identities=(house.settings.identities[0], expired.files("client")),
    )
    with pytest.raises(IdentityError):
        house.roster.prepare(bad, {"llm": "llm", "to-llm": [extra]})
    house.roster.commit()

    assert extra.fileno() == -1
    assert house.flows(client, server)
    assert house.flows(*house.stream())


def test_what_is_abandoned_changes_nothing_and_leaves_no_socket(house):
    before, extra = house.service("to-llm"), listening()
    house.roster.prepare(house.with_egress(padding=None), {"llm": "llm", "to-llm": [extra]})
    house.roster.abandon()
    house.roster.commit()

    assert extra.fileno() == -1
    assert house.service("to-llm") is before
    assert house.flows(*house.stream())


def test_what_tunnels_hold_is_reported_as_it_is_now(world):
    house = House(world, TunnelMode.AUTO)
    client, server = house.stream()

    def held():
        return house.counters()["llm"]["tunnels"][1]

    client.setblocking(False)
    world.until(lambda: push(client) and held() > 1000)  # the server reads nothing
    server.close()
    world.until(lambda: held() == 0)


def push(client):
    with contextlib.suppress(BlockingIOError, ConnectionError):
        client.send(bytes(1 << 16))
    return True


def test_a_replaced_service_goes_with_its_last_connection(house, world):
    """Its keys and whatever it remembers of peers are not kept for another day."""
    client, server = house.stream()
    before = weakref.ref(house.service("to-llm"))
    house.change(house.with_egress(padding=None))
    assert before() is not None
    client.close()
    server.close()
    world.until(lambda: not house.roster.visits)
    house.roster.snapshot()
    gc.collect()  # a connection is a circle

    assert before() is None


@pytest.mark.parametrize("listeners", ["both", "neither"])
def test_who_only_finishes_what_it_has_keeps_nobody_who_is_revoked_since(house, world, listeners):
    """A worker that was relieved gets no later settings: others serve by them."""
    client, server = house.stream()
    house.roster.stop_listening()
    other = replace(TRUST, deny=("spiffe://corp/ns/other/sa/*",))
    house.roster.withdraw(replace(house.settings, trust=(other,)))
    world.turn(20)
    assert house.flows(client, server)

    denying = replace(TRUST, deny=("spiffe://corp/ns/apps/sa/app",))
    left = {} if listeners == "both" else {"ingress": (), "egress": ()}
    house.roster.withdraw(replace(house.settings, trust=(denying,), **left))

    assert how_it_ends(world, client) == "reset"


def test_a_cut_reaches_connections_of_replaced_services(house, world):
    house.stream()
    house.change(house.with_egress(padding=None))
    house.roster.stop_listening()
    house.roster.cut()

    world.until(lambda: not house.roster.visits)


def test_a_key_that_the_supervisor_has_checked_is_not_checked_again(house, monkeypatch):
    """Streams would stand still for 60 ms for each RSA key of a reload."""
    loaded = []

    def load(files, now, *, checked):
        loaded.append((files.name, checked))
        return own(files, now)

    own = Identity.load
    monkeypatch.setattr("pqproxy.proxy.roster.Identity.load", load)
    house.change(house.with_egress(padding=None))

    assert loaded == [("client", True)]


def in_queue_of(neighbour, world):
    """A client whom the kernel gave to another worker's socket."""
    return connect(world, address_of(neighbour))


def is_left_in_queue(client, neighbour, world):
    world.pass_time(0.05)
    accepted, where = neighbour.accept()
    accepted.close()
    return where == client.getsockname()


@pytest.fixture
def neighbour():
    """What another worker listens on, for the egress; it stays open, as the supervisor's does."""
    sock = listening()
    yield sock
    sock.close()


def test_it_accepts_for_a_worker_that_is_not_there(house, world, neighbour):
    """Who came before and who comes after; then the rest is that worker's again."""
    early = in_queue_of(neighbour, world)
    house.roster.cover(1, {"to-llm": [neighbour.dup()]})
    house.flows(early, house.model.accept())
    house.flows(in_queue_of(neighbour, world), house.model.accept())

    house.roster.uncover(1)

    assert is_left_in_queue(in_queue_of(neighbour, world), neighbour, world)


def test_leaving_it_takes_in_who_waits_for_another_worker(house, world, neighbour):
    house.roster.cover(1, {"to-llm": [neighbour.dup()]})
    with in_queue_of(neighbour, world):
        house.roster.stop_listening()

        assert len(house.roster.visits) == 1


def test_a_changed_listener_is_covered_no_more(house, world, neighbour):
    house.roster.cover(1, {"to-llm": [neighbour.dup()]})
    house.change(house.with_egress(timeouts=Timeouts(idle=100.0)))

    assert is_left_in_queue(in_queue_of(neighbour, world), neighbour, world)


def test_a_listener_that_there_is_not_is_not_covered(house, neighbour):
    copy = neighbour.dup()
    house.roster.cover(1, {"removed": [copy]})

    assert copy.fileno() == -1


def test_who_waits_for_a_worker_that_is_not_there_is_served_when_the_listener_goes(house, world):
    """Nobody else will: its successor is not given this listener any more."""
    absent = listening()
    house.roster.cover(1, {"to-llm": [absent]})
    waiting = connect(world, address_of(absent))
    house.change(house.without_egress())

    assert house.flows(waiting, house.model.accept())
    assert refused(house.entry)
