"""Tunnels at an ingress: every stream is a connection, judged by what is known today."""

import asyncio
import errno
import logging
import socket
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest

from pqproxy.config.values import ConnectionLimits, TcpAddress, Timeouts, TrustFiles, TunnelMode
from pqproxy.identity.revocation import Revocations
from pqproxy.proxy.buffers import LooseBatch
from pqproxy.proxy.descriptor import UPSTREAM
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.tunnel_opening import open_tunnel
from pqproxy.proxy.tunnel_stream import TunnelStream
from pqproxy.telemetry.log import ConnectionLine, TunnelClosedLine, TunnelUpLine
from pqproxy.telemetry.reasons import EndReason, TunnelEnd
from pqproxy.tunnel import TUNNEL_PROTOCOL, Open
from tests.support import pki
from tests.support.loopback import Endpoint

from .conftest import Recorder
from .sidecars import CLIENT, Model, connect, how_it_ends, ingress
from .tunnels import accept


@pytest.fixture
def model(world):
    return Model(world)


def shake_hands(world, address, leaf=CLIENT):
    """A connection whose server selected tunnels, with nothing said in it yet."""
    connection = Endpoint.client(
        leaf, server_name="llm.test", alpn_protocols=(TUNNEL_PROTOCOL,)
    ).connection
    tls = TlsDuplex(connect(world, address), world.engine, UPSTREAM, connection, accept)
    world.until(tls.handshake.done)
    assert tls.handshake.result().alpn_protocol == TUNNEL_PROTOCOL
    return tls


def dial(world, address, leaf=CLIENT):
    """A link to an ingress, as an egress makes it."""
    return world.run(open_tunnel(shake_hands(world, address, leaf), world.engine, 5))


def stream(link, client="10.1.2.3:456"):
    opened, sink = link.open(client), Recorder()
    opened.attach(sink)
    opened.resume()
    return opened, sink


def say(world, duplex, data):
    duplex.write(LooseBatch(world.pool, [data]))


def test_a_stream_reaches_the_model_and_is_logged_as_what_it_is(world, model, lines):
    service, address = ingress(world, model.address)
    link = dial(world, address)
    opened, sink = stream(link)
    say(world, opened, b"question")
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    server.send(b"answer")
    world.until(lambda: sink.received == b"answer")
    assert service.counters.active == {"tls": 1, "stream": 1}
    opened.end()
    server.close()
    world.until(lambda: sink.events[-1] == "closed")
    link.retire(TunnelEnd.REPLACED)
    world.until(lambda: len(lines) == 3)

    up, line, closed = lines
    assert isinstance(up, TunnelUpLine)
    assert isinstance(line, ConnectionLine)
    assert isinstance(closed, TunnelClosedLine)
    assert up.tunnel == line.tunnel == closed.tunnel == link.name
    assert line.identity == up.identity == "spiffe://corp/ns/apps/sa/app"
    assert line.group == up.group == "X25519MLKEM768"
    assert (line.transport, line.stream, line.client) == ("stream", opened.id, "10.1.2.3:456")
    assert (line.received, line.sent, line.end_reason) == (8, 6, EndReason.FINISHED)
    assert (closed.end_reason, closed.streams) == (TunnelEnd.PEER_RETIRED, 1)
    world.until(lambda: not service.visits)
    assert service.counters.active == {"tls": 0, "stream": 0}
    assert service.admission.connections == 0
    assert service.counters.tunnels == 0


def test_a_model_that_is_down_is_told_of_by_name(world, model, lines):
    model.sock.close()
    _, address = ingress(world, model.address)
    opened, sink = stream(dial(world, address))
    world.until(lambda: sink.events)

    assert sink.events == [EndReason.UPSTREAM_DOWN]
    assert opened.said == "the other side said upstream_down"
    assert lines[-1].end_reason is EndReason.UPSTREAM_DOWN


def test_a_client_that_left_closes_the_connection_to_the_model(world, model):
    _, address = ingress(world, model.address)
    opened, _ = stream(dial(world, address))
    server = model.accept()
    opened.abort(EndReason.CLIENT_LEFT)

    def is_reset():
        try:
            return server.recv(1) == b"never"
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True

    world.until(is_reset)


def test_a_stream_that_was_reset_before_its_turn_dials_nobody(world, model, lines):
    _, address = ingress(world, model.address)
    link = dial(world, address)
    opened = link.open("")
    opened.abort(EndReason.CLIENT_LEFT)
    world.until(lambda: len(lines) == 2)

    assert lines[-1].end_reason is EndReason.CLIENT_LEFT
    assert not model.dialled()


def test_a_route_that_is_not_there_is_refused_by_name(world, model):
    _, address = ingress(world, model.address)
    link = dial(world, address)
    link.tunnel.open(Open(route="elsewhere"), time.monotonic())
    link.sender.ask_for_flush()
    opened, sink = TunnelStream(next(iter(link.tunnel.streams.values())), link), Recorder()
    opened.attach(sink)
    world.until(lambda: sink.events)

    assert opened.said == "the other side said no_route"
    assert not model.dialled()


def test_streams_count_as_connections(world, model):
    limits = ConnectionLimits(connections=3)  # the tunnel itself is one
    service, address = ingress(world, model.address, limits=limits)
    link = dial(world, address)
    sinks = [stream(link)[1] for _ in range(3)]
    world.until(lambda: sinks[2].events)

    assert sinks[2].events == [EndReason.UPSTREAM_ALERT]
    assert not sinks[0].events
    assert service.admission.connections == 3


def test_after_the_end_of_its_certificate_a_peer_opens_nothing(world, model, lines):
    service, address = ingress(world, model.address)
    link = dial(world, address)
    _, before = stream(link)
    model.accept()
    world.now = pki.NOT_AFTER + timedelta(seconds=1)
    _, sink = stream(link)
    world.until(lambda: sink.events)

    assert sink.events == [EndReason.UPSTREAM_ALERT]
    assert link.going_away
    assert not before.events
    assert service.counters.snapshot()["decisions"][-1][:2] == ["refused", "expired"]
    link.close(TunnelEnd.UNAUTHORISED, "")
    world.until(lambda: any(isinstance(line, TunnelClosedLine) for line in lines))
    (closed,) = [line for line in lines if isinstance(line, TunnelClosedLine)]
    assert "certificate" in closed.detail
    assert closed.fix


def test_a_revoked_peer_is_cut_off_with_its_streams(world, model, lines):
    service, address = ingress(world, model.address)
    link = dial(world, address)
    _, sink = stream(link)
    model.accept()
    denied = TrustFiles("mesh", (), "mesh", deny=("spiffe://corp/ns/apps/sa/app",))
    service.withdraw({"mesh": Revocations.load(denied, ())})
    world.until(lambda: link.closed and sink.events)
    world.until(lambda: not service.visits)

    assert any(
        isinstance(line, TunnelClosedLine) and line.end_reason is TunnelEnd.REVOKED
        for line in lines
    )
    assert any(
        isinstance(line, ConnectionLine) and line.end_reason is EndReason.REVOKED for line in lines
    )


def test_a_drain_sends_tunnels_away_when_their_streams_have_ended(world, model):
    service, address = ingress(world, model.address)
    link = dial(world, address)
    opened, sink = stream(link)
    server = model.accept()
    service.stop_listening()
    world.until(lambda: link.going_away)
    server.send(b"answer")
    world.until(lambda: sink.received == b"answer")
    assert service.visits
    opened.end()
    server.close()
    world.until(lambda: not service.visits)

    assert sink.events[-1] == "closed"
    world.until(lambda: link.closed)


def test_a_drain_that_is_over_cuts_tunnels(world, model, lines):
    service, address = ingress(world, model.address)
    link = dial(world, address)
    _, sink = stream(link)
    model.accept()
    service.stop_listening()
    service.cut()
    world.until(lambda: not service.visits)
    world.until(lambda: sink.events)

    assert link.closed or link.going_away
    assert {line.end_reason for line in lines[1:]} <= {EndReason.DRAINED, TunnelEnd.DRAINED}


def test_a_stricter_successor_ends_tunnels_and_a_like_one_sends_them_away(world, model):
    service, address = ingress(world, model.address)
    link, other = dial(world, address), dial(world, address)
    _, sink = stream(link)
    model.accept()
    same, _ = ingress(world, model.address)
    service.release(for_good=False)
    same.succeed(service)
    world.until(lambda: other.closed)
    assert not link.closed
    stricter, _ = ingress(world, model.address, allow=("spiffe://corp/ns/other/sa/app",))
    stricter.succeed(service)
    world.until(lambda: link.closed)

    assert sink.events


def test_where_tunnels_are_never_taken_none_is_selected(world, model):
    _, address = ingress(world, model.address, tunnel=TunnelMode.NEVER)
    connection = Endpoint.client(
        CLIENT, server_name="llm.test", alpn_protocols=(TUNNEL_PROTOCOL,)
    ).connection
    tls = TlsDuplex(connect(world, address), world.engine, UPSTREAM, connection, accept)
    world.until(tls.handshake.done)

    assert tls.handshake.result().alpn_protocol is None
    tls.abort(EndReason.CLIENT_LEFT)


def test_who_never_said_a_word_had_no_tunnel(world, model, lines):
    """`pqproxy check` looks whether tunnels are to be had: that is nobody's trouble."""
    service, address = ingress(world, model.address)
    tls = shake_hands(world, address)
    tls.end()
    world.until(lambda: lines)

    (line,) = lines
    assert isinstance(line, ConnectionLine)
    assert (line.end_reason, line.alpn) == (EndReason.CLIENT_LEFT, "pqproxy/1")
    assert line.level == logging.INFO
    assert not service.counters.tunnel_closes.counts
    assert service.counters.tunnels == 0


def test_streams_by_the_hundred_do_not_hold_up_a_turn(world, model, monkeypatch):
    """Each costs a dial; others have data meanwhile."""
    service, address = ingress(world, model.address)
    link = dial(world, address)
    reception = service._tunnels._reception
    welcomed, turns = [], []
    welcome, turn = reception._welcome, reception.on_turn

    def slow(*stream):
        time.sleep(0.001)
        welcomed.append(len(turns))
        welcome(*stream)

    def counted():
        turns.append(None)
        turn()

    monkeypatch.setattr(reception, "_welcome", slow)
    monkeypatch.setattr(reception, "on_turn", counted)
    for _ in range(20):
        link.open("")
    world.until(lambda: len(welcomed) == 20)

    assert max(welcomed.count(number) for number in welcomed) <= 2


def test_who_waits_to_be_welcomed_has_one_turn_each_turn(world, model):
    """However many come meanwhile: else each of them would make every turn longer."""
    service, address = ingress(world, model.address)
    dial(world, address)
    reception = service._tunnels._reception
    reception._welcome = lambda *_: time.sleep(0.003)  # longer than there is time for
    stream = SimpleNamespace(ends_at_once=False)
    asked = []
    reception._poller = SimpleNamespace(again=asked.append)
    for _ in range(10):
        for _ in range(3):
            reception.put(stream, Open(), None)
        turns, asked[:] = len(asked), []
        assert turns == 1
        reception.on_turn()


def test_a_stream_that_cannot_be_welcomed_late_is_ended_as_one_at_once_is(world, model):
    service, address = ingress(world, model.address)
    dial(world, address)
    reception = service._tunnels._reception
    reception._welcome = lambda *_: 1 / 0
    crashed = []
    streams = [
        SimpleNamespace(ends_at_once=late, crashed=lambda late=late: crashed.append(late))
        for late in (False, True, True)
    ]
    for stream in streams:
        reception.put(stream, Open(), None)
    reception.on_turn()

    assert crashed == [False, True, True]


def slow(monkeypatch):
    """Nobody has answered when a connect returns, as across a network."""

    class Remote(socket.SocketType):
        def connect_ex(self, address):
            super().connect_ex(address)
            return errno.EINPROGRESS

    monkeypatch.setattr("pqproxy.proxy.socket_options.Socket", Remote)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_model_that_takes_its_time_is_waited_for(world, model, monkeypatch, host):
    """Across the network, or by a name that has to be resolved."""
    service, address = ingress(world, TcpAddress(host, model.address.port))
    link = dial(world, address)
    slow(monkeypatch)
    opened, sink = stream(link)
    say(world, opened, b"question")
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    server.send(b"answer")

    world.until(lambda: sink.received == b"answer")
    assert service.counters.connects.counts == {("connected",): 1}


def test_a_model_that_never_answers_is_given_up(world, model, monkeypatch, lines):
    _, address = ingress(world, model.address, timeouts=Timeouts(connect=0.1))
    link = dial(world, address)
    monkeypatch.setattr("pqproxy.proxy.dialer._Connecting.outcome", lambda _: asyncio.sleep(60))
    slow(monkeypatch)
    opened, sink = stream(link)
    world.until(lambda: sink.events)

    assert opened.said == "the other side said upstream_down"
    assert lines[-1].detail == f"{model.address}: no answer"


def test_a_client_that_leaves_while_its_model_is_dialled_leaves_no_socket(
    world, model, monkeypatch, lines
):
    service, address = ingress(world, model.address)
    link = dial(world, address)
    monkeypatch.setattr("pqproxy.proxy.dialer._Connecting.outcome", lambda _: asyncio.sleep(60))
    slow(monkeypatch)
    opened, _ = stream(link)
    server = model.accept()
    opened.abort(EndReason.CLIENT_LEFT)
    world.until(lambda: len(service.visits) == 1)

    assert lines[-1].end_reason is EndReason.CLIENT_LEFT
    assert how_it_ends(world, server) == "fin"  # the kernel had connected it; nothing was said
