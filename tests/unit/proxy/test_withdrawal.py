import asyncio
import gc
import itertools
import weakref
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.config.values import ConnectionLimits, OnExpiry, RevocationFile
from pqproxy.identity.errors import Refused
from pqproxy.identity.peer import PeerIdentity, Purpose
from pqproxy.proxy.admission import Admission
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.proxy.withdrawal import Expiry, Withdrawal
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from pqproxy.tls import AlertDescription, ChainReceived
from tests.support import pki

from .sidecars import CLIENT, ROOT, SERVER, Model, connect, egress, how_it_ends, ingress
from .test_roster import TRUST, House

OTHER = ROOT.issue(uris=("spiffe://corp/ns/apps/sa/other",), name="other")


@pytest.fixture
def house(world):
    made = House(world)
    made.roster.ticket_keys.replace([bytes(32)])
    return made


def revoking(house, *leaves, deny=()):
    """The settings of a house whose trust set has a list of these."""
    crl = RevocationFile("mesh.crl", ROOT.revoke(*leaves).public_bytes(Encoding.PEM))
    trust = replace(TRUST, crl=(crl,) if leaves else (), deny=deny)
    return replace(house.settings, trust=(trust,))


def ended(lines, reason):
    return [line for line in lines if getattr(line, "end_reason", None) is reason]


@pytest.mark.parametrize(
    ("revoked", "deny", "listener", "identity"),
    [
        ((CLIENT,), (), "llm", "spiffe://corp/ns/apps/sa/app"),
        ((), ("spiffe://corp/ns/apps/sa/app",), "llm", "spiffe://corp/ns/apps/sa/app"),
        ((SERVER,), (), "to-llm", "spiffe://corp/ns/apps/sa/llm"),
        ((), ("llm.test",), "to-llm", "spiffe://corp/ns/apps/sa/llm"),
    ],
)
def test_a_stream_of_the_revoked_is_reset_on_both_sides(
    house, world, lines, revoked, deny, listener, identity
):
    """Truncation must not look like an end; one line says who and why."""
    client, server = house.stream()
    assert house.flows(client, server)

    house.change(revoking(house, *revoked, deny=deny))

    assert how_it_ends(world, client) == "reset"
    assert how_it_ends(world, server) == "reset"
    world.until(lambda: len(lines) == 2)
    (line,) = ended(lines, EndReason.REVOKED)
    assert (line.listener, line.identity) == (listener, identity)
    assert line.reason is ReasonCode.REVOKED
    assert identity in line.detail
    assert line.fix
    counted = house.counters()[listener]["connections"]
    assert ["tls", "revoked", 1] in counted


def test_the_peer_of_a_cut_connection_is_told_why(house, world, lines):
    house.stream()
    house.change(revoking(house, CLIENT))
    world.until(lambda: len(lines) == 2)

    (line,) = ended(lines, EndReason.UPSTREAM_ALERT)
    assert line.detail == "peer said certificate_revoked"
    assert "is revoked there" in line.fix


def test_streams_of_others_live_on(house, world):
    client, server = house.stream()

    house.change(revoking(house, OTHER, 7, deny=("*.elsewhere.test",)))
    world.turn(20)

    assert house.flows(client, server)


def test_a_stream_of_long_ago_is_judged_by_what_is_said_today(house, world, lines):
    """Its service was replaced twice since, for other reasons."""
    client, _ = house.stream()
    house.change(house.with_egress(padding=None))
    (ingress_settings,) = house.settings.ingress
    renewed = replace(ingress_settings, padding=None)
    house.change(replace(house.settings, ingress=(renewed,)))

    house.change(revoking(house, CLIENT))

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: ended(lines, EndReason.REVOKED))


def test_a_stream_of_a_removed_listener_is_judged_by_its_trust_set(house, world, lines):
    client, _ = house.stream()
    house.change(house.without_egress())

    house.change(revoking(house, SERVER))

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: ended(lines, EndReason.REVOKED))
    assert ended(lines, EndReason.REVOKED)[0].listener == "to-llm"


def test_a_stream_is_judged_by_the_trust_set_that_it_came_in_by(house, world, lines):
    """Though its listener goes by another now, and no listener by that one."""
    client, _ = house.stream()
    other = replace(TRUST, name="other")
    (front,), (back,) = house.settings.ingress, house.settings.egress
    house.change(
        replace(
            house.settings,
            trust=(TRUST, other),
            ingress=(replace(front, trust="other"),),
            egress=(replace(back, trust="other"),),
        )
    )
    assert house.flows(*house.stream())

    denying = replace(TRUST, deny=("spiffe://corp/ns/apps/sa/app",))
    house.change(replace(house.settings, trust=(denying, other)))

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: ended(lines, EndReason.REVOKED))
    assert house.flows(*house.stream())


def test_the_revoked_comes_back_with_no_ticket(house, world, lines):
    """It shakes hands in full, and is refused by name."""
    for _ in range(2):
        client, server = house.stream()
        assert house.flows(client, server)
        client.close()
        server.close()
    world.until(lambda: len(lines) == 4)
    assert lines[-1].resumed
    house.change(revoking(house, CLIENT))
    del lines[:]

    connect(world, house.entry)
    world.until(lambda: any(getattr(line, "listener", "") == "llm" for line in lines))

    (line,) = [line for line in lines if line.listener == "llm"]
    assert line.reason is ReasonCode.REVOKED
    assert not house.model.dialled()


def test_a_stream_that_was_resumed_is_ended_like_any_other(house, world, lines):
    """It showed no certificate; its ticket remembers which one it was."""
    client, server = house.stream()
    assert house.flows(client, server)
    client.close()
    server.close()
    world.until(lambda: len(lines) == 2)
    client, server = house.stream()
    assert house.flows(client, server)

    house.change(revoking(house, CLIENT))

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: ended(lines, EndReason.REVOKED))
    assert ended(lines, EndReason.REVOKED)[0].resumed


def test_who_began_before_a_reload_is_judged_by_what_came_with_it(house):
    """Whether it shows its chain to the old service or a ticket, or has just shown that."""
    old = house.service("llm")
    house.stream()
    visit = Visit("llm", "192.0.2.1:7", Admission(ConnectionLimits()).ask("192.0.2.1"), 0.0)
    shown = ChainReceived(1, CLIENT.chain_der, "ecdsa-p256")
    before = old._judge.judge(shown, visit)
    proof = before.authentication(CLIENT.chain_der, pki.NOW.timestamp())
    assert before.alert is None
    assert old._judge.permits(proof)

    house.change(revoking(house, CLIENT))

    after = old._judge.judge(shown, visit)
    assert after.alert is AlertDescription.CERTIFICATE_REVOKED
    assert not old._judge.permits(proof)
    with pytest.raises(Ended) as late:
        old._stay_in_force(visit)
    assert (late.value.end, late.value.reason) == (EndReason.REVOKED, ReasonCode.REVOKED)


# `on_expiry`.

LIVES = timedelta(seconds=30)


@pytest.fixture
def brief(world):
    """A leaf that ends in half a minute of the world's time."""

    def issue(**names):
        return ROOT.issue(not_after=world.now + LIVES, name="brief", **names)

    return issue


def pair(world, model, client=CLIENT, server=SERVER, ticket_keys=(), **settings):
    front, address = ingress(world, model.address, leaf=server, ticket_keys=ticket_keys, **settings)
    back, entry = egress(world, address, leaf=client, **settings)
    return front, back, entry


def stream(world, model, entry):
    client = connect(world, entry)
    return client, model.accept()


def flows(world, client, server):
    client.send(b"question")
    return world.read_all(server, 8) == b"question"


@pytest.fixture
def often(monkeypatch):
    """Look at the clock often: in a test it jumps."""
    monkeypatch.setattr(Expiry, "LATEST", 0.02)
    monkeypatch.setattr(Expiry, "SOONEST", 0.01)


@pytest.mark.parametrize("side", ["client", "server"])
def test_no_connection_outlives_the_certificate_of_its_peer(world, lines, brief, often, side):
    model = Model(world)
    names = {"client": CLIENT, "server": SERVER}
    uris = {"client": "spiffe://corp/ns/apps/sa/app", "server": "spiffe://corp/ns/apps/sa/llm"}
    names[side] = brief(uris=(uris[side],))
    _, _, entry = pair(world, model, **names, on_expiry=OnExpiry.CUT)
    client, server = stream(world, model, entry)
    assert flows(world, client, server)

    world.now += LIVES - timedelta(seconds=1)
    world.pass_time(0.1)
    assert flows(world, client, server)
    world.now += timedelta(seconds=1)

    assert how_it_ends(world, client) == "reset"
    assert how_it_ends(world, server) == "reset"
    world.until(lambda: len(lines) == 2)
    (line,) = ended(lines, EndReason.EXPIRED)
    assert line.listener == {"client": "llm", "server": "to-llm"}[side]
    assert line.reason is ReasonCode.EXPIRED
    assert line.detail.startswith(f"the certificate of {uris[side]}, or an authority above it,")
    told = [one.detail for one in ended(lines, EndReason.UPSTREAM_ALERT)]
    told += [one.detail for one in ended(lines, EndReason.CLIENT_ALERT)]
    assert told == ["peer said certificate_expired"]


def test_connections_finish_where_nothing_else_is_said(world, brief, often):
    model = Model(world)
    _, _, entry = pair(world, model, client=brief(uris=("spiffe://corp/ns/apps/sa/app",)))
    client, server = stream(world, model, entry)
    world.now += 2 * LIVES
    world.pass_time(0.1)

    assert flows(world, client, server)


def test_a_session_remembers_the_end_of_the_certificate(world, lines, brief, often):
    """Longer than a ticket lasts: a resumed connection may live on after that."""
    model = Model(world)
    names = {"client": brief(uris=("spiffe://corp/ns/apps/sa/app",))}
    _, _, entry = pair(world, model, **names, on_expiry=OnExpiry.CUT, ticket_keys=[bytes(32)])
    client, server = stream(world, model, entry)
    assert flows(world, client, server)
    server.send(b"answer")
    world.read_all(client, 6)
    client.close()
    server.close()
    world.until(lambda: len(lines) == 2)
    client, server = stream(world, model, entry)
    assert flows(world, client, server)

    world.now += LIVES

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: ended(lines, EndReason.EXPIRED))
    assert ended(lines, EndReason.EXPIRED)[0].resumed


class Clockwork:
    """A loop whose timers are looked at, not waited for."""

    def __init__(self):
        self.timers = []

    def time(self):
        return 0.0

    def call_at(self, when, callback):
        timer = asyncio.TimerHandle(when, callback, (), asyncio.get_event_loop())
        self.timers.append(timer)
        return timer

    @property
    def pending(self):
        return [timer.when() for timer in self.timers if not timer.cancelled()]


class Everybody:
    def __init__(self):
        self.sweeps = []

    def sweep(self, judge):
        self.sweeps.append(judge)


def expiry(world):
    loop, everybody = Clockwork(), Everybody()
    asyncio.set_event_loop(world.loop)
    return Expiry(everybody, loop, lambda: 1000.0), loop, everybody


def test_one_timer_is_for_all(world):
    """Ten thousand connections must not be ten thousand timers."""
    watched, loop, _ = expiry(world)
    for not_after in (1050.0, 1040.0, 1045.0, 1030.0, 1090.0, float("inf")):
        watched.watch(not_after)

    assert loop.pending == [30.0]


def test_what_ends_at_nearly_the_same_time_is_looked_at_once(world):
    watched, loop, _ = expiry(world)
    for not_after in (1000.2, 1000.1, 999.0, 5.0):
        watched.watch(not_after)

    assert len(loop.timers) == 1
    assert loop.pending == [Expiry.SOONEST]


def test_the_clock_is_looked_at_again_long_before_a_far_end(world):
    """A machine sleeps, or its clock is set."""
    watched, loop, everybody = expiry(world)
    watched.watch(1000.0 + 365 * 86400)
    assert loop.pending == [Expiry.LATEST]

    loop.timers[0]._run()
    (judge,) = everybody.sweeps
    judge(replace(peer(), not_after=1000.0 + 365 * 86400))

    assert loop.pending[1:] == [Expiry.LATEST]
    with pytest.raises(Refused):
        judge(replace(peer(), not_after=1000.0))


def peer():
    return PeerIdentity((), ("a.test",), (), "CN=a", Purpose.CLIENT, False)


# Many at once.


class Joined:
    """As much of a visit as a sweep looks at, and of its splice."""

    def __init__(self):
        self.identity, self.refusal, self.left, self.splice = peer(), None, None, self
        self.task, self.done, self.ended = None, False, None

    def cut(self, reason):
        self.done, self.ended = True, reason


def test_thousands_are_judged_in_many_turns(world, monkeypatch):
    """Bytes of others pass between them."""
    visits = [Joined() for _ in range(3000)]
    seconds = itertools.count(step=0.0001)
    monkeypatch.setattr("pqproxy.proxy.withdrawal.monotonic", lambda: next(seconds))

    def judge(identity):
        raise Refused(ReasonCode.REVOKED, "certificate_revoked", "gone", "fix")

    Withdrawal(visits, world.loop).sweep(judge)
    turns = [sum(visit.done for visit in visits)]
    while turns[-1] < len(visits):
        world.turn(1)
        turns.append(sum(visit.done for visit in visits))

    steps = [after - before for before, after in itertools.pairwise([0, *turns])]
    assert max(steps) < 100
    assert {visit.ended for visit in visits} == {EndReason.REVOKED}


def test_a_connection_that_has_ended_is_left_alone(world):
    visit = Joined()
    visit.done = True

    def judge(identity):
        raise Refused(ReasonCode.REVOKED, "certificate_revoked", "gone", "fix")

    Withdrawal([visit], world.loop).sweep(judge)

    assert (visit.ended, visit.refusal) == (None, None)


def test_a_service_that_waits_for_an_end_is_let_go_of_after_its_last_connection(
    world, lines, often
):
    model = Model(world)
    front, _, entry = pair(world, model, on_expiry=OnExpiry.CUT)
    client, server = stream(world, model, entry)
    client.close()
    server.close()
    world.until(lambda: len(lines) == 2)
    world.pass_time(0.1)

    expiry = weakref.ref(front._expiry)
    front._expiry = None
    gc.collect()

    assert expiry() is None
