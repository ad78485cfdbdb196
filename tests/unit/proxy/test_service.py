import errno
import socket

import pytest

from pqproxy.telemetry.reasons import EndReason, ReasonCode

from .sidecars import Model, connect, egress, how_it_ends, ingress


@pytest.fixture
def model(world):
    return Model(world)


def test_after_it_stops_listening_open_connections_go_on(world, model):
    _, inner = ingress(world, model.address)
    service, outer = egress(world, inner)
    client = connect(world, outer)
    server = model.accept()
    service.stop_listening()
    client.send(b"still here")

    assert world.read_all(server, 10) == b"still here"
    with pytest.raises(ConnectionRefusedError):
        connect(world, outer)


def test_a_connection_cut_before_its_task_began_is_closed_and_counted(world, model, lines):
    service, address = ingress(world, model.address)
    sock = connect(world, address)
    for listener in list(service._listeners):
        listener.on_events(1)  # accepted, and not a turn of the loop since
    service.cut()
    world.until(lambda: lines)

    assert how_it_ends(world, sock) == "reset"
    assert lines[0].end_reason is EndReason.DRAINED
    assert service.admission.connections == 0
    assert service.counters.active["tls"] == 0


def test_who_is_joined_in_the_turn_of_a_cut_is_cut_too(world, model, monkeypatch, lines):
    """Its task was to be cancelled, and is over by then."""
    service, inner = ingress(world, model.address)
    _, outer = egress(world, inner)
    answered, dials = world.loop.create_future(), []

    class Remote(socket.SocketType):
        def connect_ex(self, address):
            super().connect_ex(address)
            return errno.EINPROGRESS

    async def outcome(_):
        dials.append(True)
        return 0 if len(dials) == 1 else await answered  # the egress', then the ingress'

    monkeypatch.setattr("pqproxy.proxy.dialer._Connecting.outcome", outcome)
    monkeypatch.setattr("pqproxy.proxy.socket_options.Socket", Remote)
    client = connect(world, outer)
    world.until(lambda: len(dials) == 2)
    model.accept()
    world.turn(5)
    answered.set_result(0)
    service.cut()
    world.until(lambda: not service.visits)

    assert how_it_ends(world, client) == "reset"
    assert EndReason.DRAINED in {line.end_reason for line in lines}


def test_every_connection_that_was_opened_is_closed_in_the_counters(world, model):
    _, inner = ingress(world, model.address)
    service, outer = egress(world, inner)
    for _ in range(5):
        client = connect(world, outer)
        server = model.accept()
        client.close()
        assert how_it_ends(world, server) == "fin"
        server.close()
    world.until(lambda: not service.visits)

    assert service.counters.connections.counts == {("tls", EndReason.FINISHED): 5}
    assert service.counters.active["tls"] == 0


def test_a_refused_peer_that_lingers_holds_no_place_and_no_drain(world, model, lines):
    """It belongs to nobody: a flood of them keeps no good client out."""
    service, address = ingress(world, model.address)
    sock = connect(world, address)
    sock.send(b"GET / HTTP/1.1\r\n\r\n")
    world.until(lambda: lines)

    assert lines[0].reason is ReasonCode.PLAINTEXT
    assert len(world.engine.lingerers) == 1
    assert not service.visits
    assert service.admission.connections == service.admission.handshakes == 0
    assert service.counters.active["tls"] == 0
