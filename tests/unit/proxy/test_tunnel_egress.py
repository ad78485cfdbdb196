"""An egress with tunnels, in front of an ingress and of servers that know of none."""

import functools
from dataclasses import replace
from types import SimpleNamespace

import pytest

from pqproxy.config.values import Timeouts, TunnelMode
from pqproxy.config.values import Tunnel as Wanted
from pqproxy.proxy.tunnel_egress import TunnelEgress
from pqproxy.telemetry import endpoints, log
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from pqproxy.tunnel.endpoint import Plan

from .sidecars import (
    STRANGER,
    Model,
    address_of,
    connect,
    egress,
    how_it_ends,
    ingress,
    listening,
)
from .test_roster import House

REQUIRE = Wanted(TunnelMode.REQUIRE)


@pytest.fixture(autouse=True)
def one_instance(monkeypatch):
    """There is no other behind these addresses."""
    monkeypatch.setattr("pqproxy.proxy.tunnel_fleet.Plan", functools.partial(Plan, spread=1))


@pytest.fixture
def model(world):
    return Model(world)


def tunnels(world, *addresses, **settings):
    return egress(world, *addresses, kind=TunnelEgress, **settings)


def up(service):
    return sum(one.tunnels for one in service._fleet.endpoints().values())


def exchange(world, model, entry):
    """A client that gets an answer; (its socket, the model's)."""
    client = connect(world, entry)
    client.send(b"question")
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    server.send(b"answer")
    assert world.read_all(client, 6) == b"answer"
    return client, server


def of(lines, listener, kind):
    return [line for line in lines if line.listener == listener and isinstance(line, kind)]


def nobody():
    with listening() as sock:
        return address_of(sock)


def test_clients_share_one_tunnel_and_each_has_its_line_with_all_that_was_proved(
    world, model, lines
):
    _, inner = ingress(world, model.address)
    service, outer = tunnels(world, inner)
    world.until(lambda: up(service))
    for _ in range(3):
        client, server = exchange(world, model, outer)
        client.close()
        server.close()
    world.until(lambda: len(of(lines, "to-llm", log.ConnectionLine)) == 3)
    world.until(lambda: len(of(lines, "llm", log.ConnectionLine)) == 3)
    (tunnel,) = of(lines, "to-llm", log.TunnelUpLine)
    ours, theirs = (of(lines, name, log.ConnectionLine) for name in ("to-llm", "llm"))

    assert tunnel.upstream == str(inner)
    assert [line.stream for line in ours] == [line.stream for line in theirs] == [1, 3, 5]
    for line in ours:
        assert (line.transport, line.tunnel) == ("stream", tunnel.tunnel)
        assert line.identity == tunnel.identity == "spiffe://corp/ns/apps/sa/llm"
        assert line.group == tunnel.group == "X25519MLKEM768"
        assert line.peer_signature == "ecdsa_secp256r1_sha256"
        assert (line.upstream, line.end_reason) == (str(inner), EndReason.FINISHED)
        assert (line.received, line.sent) == (8, 6)
    assert [line.client for line in theirs] == [line.peer for line in ours]
    assert sum(service.counters.handshakes.counts.values()) == 1
    assert service.counters.connections.counts == {("stream", "finished"): 3}
    assert service.counters.active == {"tls": 1, "stream": 0}  # the tunnel itself
    assert service.counters.clients == 0


def test_who_comes_before_the_first_tunnel_is_up_waits_for_it(world, model):
    _, inner = ingress(world, model.address)
    service, outer = tunnels(world, inner)
    client = connect(world, outer)
    client.send(b"question")
    assert not up(service)

    assert world.read_all(model.accept(), 8) == b"question"


def test_when_all_are_down_a_client_is_reset_at_once_and_the_line_names_them(world, lines):
    first, second = nobody(), nobody()
    service, outer = tunnels(world, first, second, timeouts=Timeouts(connect=None))
    world.until(lambda: len(of(lines, "to-llm", log.EjectedLine)) == 2)
    client = connect(world, outer)
    assert how_it_ends(world, client) == "reset"
    (line,) = of(lines, "to-llm", log.ConnectionLine)

    assert (line.end_reason, line.reason) == (EndReason.UPSTREAM_DOWN, ReasonCode.UPSTREAM_DOWN)
    assert line.detail == f"{first}: connection refused; {second}: connection refused"
    assert line.fix
    service.count_bytes()
    assert service.counters.endpoints.rows[str(first)].why == f"{first}: connection refused"


def test_a_server_that_may_not_be_it_is_ejected_and_clients_told_why(world, model, lines):
    _, inner = ingress(world, model.address, leaf=STRANGER)
    _, outer = tunnels(world, inner)
    client = connect(world, outer)
    assert how_it_ends(world, client) == "reset"
    (ejected,) = of(lines, "to-llm", log.EjectedLine)
    (line,) = of(lines, "to-llm", log.ConnectionLine)

    assert ejected.reason is line.reason is ReasonCode.NOT_ALLOWED
    assert ejected.fix == line.fix
    assert "expect" in line.detail
    assert not model.dialled()


@pytest.mark.parametrize("alpn", [(), ("http/1.1",)], ids=["ignores it", "refuses it"])
def test_a_server_that_knows_no_tunnels_gets_a_connection_for_each_client(
    world, model, lines, alpn
):
    """It is told from a sidecar by its answer, or by no_application_protocol."""
    _, inner = ingress(world, model.address, tunnel=TunnelMode.NEVER, alpn=alpn)
    service, outer = tunnels(world, inner)
    for _ in range(2):
        client, server = exchange(world, model, outer)
        client.close()
        server.close()
    world.until(lambda: len(of(lines, "to-llm", log.ConnectionLine)) == 2)
    first, second = of(lines, "to-llm", log.ConnectionLine)

    assert (first.transport, second.transport) == ("tls", "tls")
    assert first.identity == second.identity == "spiffe://corp/ns/apps/sa/llm"
    assert service._fleet.endpoints() == {str(inner): endpoints.Endpoint(plain=True)}
    assert not of(lines, "to-llm", log.EjectedLine)


def test_the_first_client_of_such_a_server_gets_the_connection_that_was_to_be_a_tunnel(
    world, model, lines
):
    """So a server that is asked once, as most are, is dialled once."""
    service, inner = ingress(world, model.address, tunnel=TunnelMode.NEVER)
    mine, outer = tunnels(world, inner)
    exchange(world, model, outer)
    assert sum(mine.counters.handshakes.counts.values()) == 1
    exchange(world, model, outer)

    assert sum(mine.counters.handshakes.counts.values()) == 2
    assert len(service.visits) == 2


def test_when_no_client_comes_soon_that_connection_ends(world, model, monkeypatch):
    monkeypatch.setattr("pqproxy.proxy.tunnel_egress._KEPT_FOR_A_CLIENT", 0.01)
    service, inner = ingress(world, model.address, tunnel=TunnelMode.NEVER)
    mine, _ = tunnels(world, inner)
    world.until(lambda: service.visits)
    model.accept().close()
    world.until(lambda: not service.visits)

    assert not mine._found


def test_what_is_offered_to_such_a_server_is_what_it_is_said_to_speak(world, model):
    service, inner = ingress(world, model.address, tunnel=TunnelMode.NEVER, alpn=("http/1.1",))
    _, outer = tunnels(world, inner, alpn=("http/1.1",))
    exchange(world, model, outer)

    assert {visit.negotiated.alpn_protocol for visit in service.visits} == {b"http/1.1"}


def test_a_server_that_knows_no_tunnels_is_refused_where_they_are_required(world, model, lines):
    _, inner = ingress(world, model.address, tunnel=TunnelMode.NEVER)
    _, outer = tunnels(world, inner, tunnel=REQUIRE)
    client = connect(world, outer)
    assert how_it_ends(world, client) == "reset"
    (ejected,) = of(lines, "to-llm", log.EjectedLine)

    assert "does not speak pqproxy/1" in ejected.detail
    assert not model.dialled()


def test_a_server_without_tunnels_that_is_gone_is_ejected(world, model, lines, monkeypatch):
    monkeypatch.setattr("pqproxy.proxy.tunnel_egress._KEPT_FOR_A_CLIENT", 0.01)
    plain, inner = ingress(world, model.address, tunnel=TunnelMode.NEVER)
    service, outer = tunnels(world, inner)
    known = endpoints.Endpoint(plain=True)
    world.until(lambda: known in service._fleet.endpoints().values() and not service._found)
    plain.stop_listening()
    client = connect(world, outer)
    assert how_it_ends(world, client) == "reset"

    assert of(lines, "to-llm", log.EjectedLine)
    assert of(lines, "to-llm", log.ConnectionLine)[0].end_reason is EndReason.UPSTREAM_DOWN


def test_streams_go_to_all_endpoints_alike(world, model, lines):
    inners = [ingress(world, model.address)[1] for _ in range(3)]
    service, outer = tunnels(world, *inners)
    world.until(lambda: up(service) == 3)
    for _ in range(12):
        exchange(world, model, outer)
    streams = [link.streams for link in service._tunnels._visits]

    assert streams == [4, 4, 4]


def test_an_endpoint_that_dies_takes_its_streams_with_it_and_no_other(world, model, lines):
    doomed, first = ingress(world, model.address)
    _, second = ingress(world, model.address)
    service, outer = tunnels(world, first, second)
    world.until(lambda: up(service) == 2)
    pairs = [exchange(world, model, outer) for _ in range(2)]
    doomed.stop_listening()
    doomed.cut()
    world.until(lambda: of(lines, "to-llm", log.EjectedLine))
    (ejected,) = of(lines, "to-llm", log.EjectedLine)
    assert (ejected.upstream, ejected.left) == (str(first), 1)
    (line,) = of(lines, "to-llm", log.ConnectionLine)
    assert line.upstream == str(first)
    alive = next(
        client for client, server in pairs if f":{client.getsockname()[1]}" not in line.peer
    )
    server = next(server for client, server in pairs if client is alive)
    server.send(b"more")
    assert world.read_all(alive, 4) == b"more"
    for _ in range(4):
        exchange(world, model, outer)


def test_an_ingress_that_goes_loses_nobody(world, model, lines):
    """It serves what is open, and the next stream finds another."""
    going, first = ingress(world, model.address)
    service, outer = tunnels(world, first)
    world.until(lambda: up(service))
    client, server = exchange(world, model, outer)
    _, second = ingress(world, model.address)
    other, outer = tunnels(world, first, second)
    world.until(lambda: up(other) == 2)
    going.stop_listening()
    world.until(lambda: up(other) == 1)
    for _ in range(3):
        exchange(world, model, outer)
    server.send(b"more")

    assert world.read_all(client, 4) == b"more"
    assert {line.end_reason for line in of(lines, "to-llm", log.TunnelClosedLine)} <= {
        TunnelEnd.PEER_RETIRED
    }


def test_a_service_that_leaves_lets_its_streams_finish_and_then_its_tunnels_go(world, model, lines):
    _, inner = ingress(world, model.address)
    service, outer = tunnels(world, inner)
    client, server = exchange(world, model, outer)
    service.stop_listening()
    world.turn(10)
    assert len(service.visits) == 2
    assert len(service.clients) == 1
    server.send(b"more")
    assert world.read_all(client, 4) == b"more"
    client.close()
    server.close()
    world.until(lambda: not service.visits)

    assert of(lines, "to-llm", log.ConnectionLine)[0].end_reason is EndReason.FINISHED
    (closed,) = of(lines, "to-llm", log.TunnelClosedLine)
    assert (closed.end_reason, closed.streams, closed.reset) == (TunnelEnd.RETIRED, 1, 0)


def test_a_service_that_leaves_dials_nobody_any_more(world, model, lines):
    """It would do so by yesterday's settings, while today's are for others to use."""
    going, inner = ingress(world, model.address)
    service, outer = tunnels(world, inner)
    client, server = exchange(world, model, outer)
    service.stop_listening()
    world.turn(10)
    handshakes = sum(service.counters.handshakes.counts.values())
    going._tunnels.retire(TunnelEnd.RETIRED)
    server.send(b"more")
    assert world.read_all(client, 4) == b"more"
    client.close()
    server.close()
    world.until(lambda: not service.visits)

    assert sum(service.counters.handshakes.counts.values()) == handshakes


def test_who_was_in_the_queue_of_a_service_that_leaves_is_served(world, model):
    _, inner = ingress(world, model.address)
    service, outer = tunnels(world, inner)
    client = connect(world, outer)
    client.send(b"question")
    service.stop_listening()

    assert world.read_all(model.accept(), 8) == b"question"


def test_a_cut_ends_streams_and_tunnels(world, model, lines):
    _, inner = ingress(world, model.address)
    service, outer = tunnels(world, inner)
    client, _ = exchange(world, model, outer)
    service.stop_listening()
    service.cut()
    assert how_it_ends(world, client) == "reset"
    world.until(lambda: not service.visits)

    assert of(lines, "to-llm", log.ConnectionLine)[0].end_reason is EndReason.DRAINED
    assert of(lines, "to-llm", log.TunnelClosedLine)


@pytest.fixture
def house(world):
    made = House(world, TunnelMode.AUTO)
    world.until(lambda: up(made.service("to-llm")))
    yield made
    made.roster.stop_listening()
    made.roster.cut()


def reload(house, settings):
    house.roster.prepare(settings, {"llm": "llm", "to-llm": "to-llm"})
    house.roster.commit()


def test_an_egress_that_a_reload_does_not_change_keeps_its_tunnels(world, house, lines):
    world.turn(10)
    service = house.service("to-llm")
    (link,) = service._tunnels._visits
    reload(house, replace(house.settings, workers=2))
    world.turn(10)

    assert house.service("to-llm") is service
    assert list(service._tunnels._visits) == [link]


def test_a_changed_egress_has_new_tunnels_and_the_old_ones_go_with_their_last_stream(
    world, house, lines
):
    client, server = exchange(world, house.model, house.entry)
    before = house.service("to-llm")
    changed = replace(house.settings.egress[0], timeouts=Timeouts(idle=100.0))
    reload(house, replace(house.settings, egress=(changed,)))
    after = house.service("to-llm")
    assert after is not before
    exchange(world, house.model, house.entry)
    assert (up(after), len(before.visits)) == (1, 2)
    server.send(b"more")
    assert world.read_all(client, 4) == b"more"
    client.close()
    server.close()
    world.until(lambda: not before.visits)

    assert up(after) == 1
    assert all(
        line.end_reason is EndReason.FINISHED for line in of(lines, "to-llm", log.ConnectionLine)
    )


def test_a_change_that_is_called_off_has_dialled_nothing(world, house):
    changed = replace(house.settings.egress[0], timeouts=Timeouts(idle=100.0))
    house.roster.prepare(
        replace(house.settings, egress=(changed,)), {"llm": "llm", "to-llm": "to-llm"}
    )
    prepared = house.roster._prepared.services["to-llm"]
    house.roster.abandon()
    world.turn(10)

    assert not prepared._fleet._tasks
    assert not up(prepared)


def test_a_removed_egress_lets_its_tunnels_go(world, house):
    service = house.service("to-llm")
    house.roster.prepare(replace(house.settings, egress=()), {"llm": "llm"})
    house.roster.commit()

    world.until(lambda: not service.visits)


def test_a_server_that_is_revoked_loses_its_tunnel_and_the_streams_in_it(world, house, lines):
    client, _ = exchange(world, house.model, house.entry)
    denied = replace(house.settings.trust[0], deny=("spiffe://corp/ns/apps/sa/llm",))
    reload(house, replace(house.settings, trust=(denied,)))
    assert how_it_ends(world, client) == "reset"
    world.until(lambda: of(lines, "to-llm", log.TunnelClosedLine))
    world.until(lambda: of(lines, "to-llm", log.EjectedLine))

    assert of(lines, "to-llm", log.ConnectionLine)[0].end_reason is EndReason.REVOKED
    assert of(lines, "to-llm", log.TunnelClosedLine)[0].end_reason is TunnelEnd.REVOKED
    assert of(lines, "to-llm", log.EjectedLine)[0].reason is ReasonCode.REVOKED


def test_a_client_that_is_revoked_loses_its_tunnel_and_the_streams_in_it(world, house, lines):
    """The ingress says of each of them why."""
    client, _ = exchange(world, house.model, house.entry)
    denied = replace(house.settings.trust[0], deny=("spiffe://corp/ns/apps/sa/app",))
    reload(house, replace(house.settings, trust=(denied,)))
    assert how_it_ends(world, client) == "reset"
    world.until(lambda: of(lines, "llm", log.TunnelClosedLine))
    (line,) = of(lines, "llm", log.ConnectionLine)

    assert (line.end_reason, line.reason) == (EndReason.REVOKED, ReasonCode.REVOKED)
    assert line.fix
    assert of(lines, "llm", log.TunnelClosedLine)[0].end_reason is TunnelEnd.REVOKED


def test_what_tunnels_hold_is_told_for_all_services_of_a_name_together(world, house, monkeypatch):
    """The old one's streams may wait for slow readers for as long as they live."""
    monkeypatch.setattr(TunnelEgress, "buffered", 100)
    exchange(world, house.model, house.entry)
    changed = replace(house.settings.egress[0], timeouts=Timeouts(idle=100.0))
    reload(house, replace(house.settings, egress=(changed,)))
    for _ in range(2):
        report = house.roster.snapshot()["counters"]["to-llm"]

    assert report["tunnels"][1] == 200


def test_a_request_leaves_with_what_opens_its_stream(world, model):
    """One record: each more wakes both sidecars, which is a tenth of what a connection costs."""
    _, inner = ingress(world, model.address)
    service, entry = tunnels(world, inner)
    world.until(lambda: up(service))
    world.pass_time(0.05)  # what was measured at the start
    (link,) = service._tunnels._visits
    sent = []
    send = link.sender._tls.send_records
    link.sender._tls = SimpleNamespace(
        send_records=lambda *records: sent.append(records) or send(*records)
    )
    client = connect(world, entry)
    client.send(b"question")
    server = model.accept()

    assert world.read_all(server, 8) == b"question"
    assert len(sent) == 1


def test_where_a_tunnel_is_up_nothing_waits_and_so_no_task_is_made(world, model, monkeypatch):
    _, inner = ingress(world, model.address)
    service, entry = tunnels(world, inner)
    world.until(lambda: up(service))
    made = []
    monkeypatch.setattr(service, "_live", lambda *_: made.append(True))
    exchange(world, model, entry)

    assert not made
