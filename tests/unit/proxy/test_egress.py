import socket
import struct
from dataclasses import replace
from datetime import timedelta

import pytest

from pqproxy import tls
from pqproxy.config.values import (
    PeerAuthentication,
    Profile,
    TcpAddress,
    Timeouts,
    UnixAddress,
)
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.trust import Trust
from pqproxy.proxy.egress import server_name
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from tests.support import pki

from .sidecars import ROOT, STRANGER, Model, connect, egress, how_it_ends, ingress, listening


@pytest.fixture
def model(world):
    return Model(world)


def nobody():
    with listening() as sock:
        return TcpAddress(*sock.getsockname())


def test_bytes_pass_through_a_pair_of_sidecars(world, model, lines):
    _, inner = ingress(world, model.address)
    service, outer = egress(world, inner)
    client = connect(world, outer)
    client.send(b"question")
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    server.send(b"answer")
    assert world.read_all(client, 6) == b"answer"
    client.close()
    assert how_it_ends(world, server) == "fin"
    server.close()
    world.until(lambda: len(lines) == 2)

    mine = next(line for line in lines if line.listener == "to-llm")
    assert {line.end_reason for line in lines} == {EndReason.FINISHED}
    assert mine.identity == "spiffe://corp/ns/apps/sa/llm"
    assert mine.upstream == str(inner)
    assert mine.peer_signature == "ecdsa_secp256r1_sha256"
    assert service.counters.snapshot()["bytes"] == [8, 6, 6, 8]


def test_half_close_passes_through_a_pair_and_the_answer_comes_back(world, model):
    _, inner = ingress(world, model.address)
    _, outer = egress(world, inner)
    client = connect(world, outer)
    client.send(b"question")
    client.shutdown(socket.SHUT_WR)
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    assert how_it_ends(world, server) == "fin"
    server.send(b"late answer")
    assert world.read_all(client, 11) == b"late answer"
    server.close()
    assert how_it_ends(world, client) == "fin"


def test_a_client_that_is_killed_frees_the_model_within_100_ms(world, model, lines):
    _, inner = ingress(world, model.address)
    _, outer = egress(world, inner)
    client = connect(world, outer)
    client.send(b"question")
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    seen = []

    def freed():
        try:
            server.recv(1)
        except BlockingIOError:
            return False
        except ConnectionResetError:
            seen.append("reset")
        return True

    world.until(freed, seconds=0.1)
    assert seen == ["reset"]
    world.until(lambda: len(lines) == 2)
    assert {line.end_reason for line in lines} == {EndReason.CLIENT_LEFT}
    assert not any(line.fix for line in lines)


def test_a_server_that_is_not_the_expected_one_is_refused_and_the_client_reset(world, model, lines):
    _, inner = ingress(world, model.address, leaf=STRANGER)
    service, outer = egress(world, inner)
    client = connect(world, outer)
    client.send(b"secret question")

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: any(line.listener == "to-llm" for line in lines))
    mine = next(line for line in lines if line.listener == "to-llm")
    assert mine.reason is ReasonCode.NOT_ALLOWED
    assert "expect" in mine.detail
    assert not model.dialled()
    assert service.counters.connects.counts == {("handshake_failed",): 1}


def test_a_profile_that_our_roots_do_not_fit_is_never_served(world):
    """Whoever let such settings pass: it fails closed here, with or without a certificate."""
    with pytest.raises(IdentityError, match="cnsa2 demands mldsa87"):
        egress(world, nobody(), profile=Profile.CNSA2)
    with pytest.raises(IdentityError, match="holds no root with a key of type mldsa87"):
        egress(world, nobody(), leaf=None, profile=Profile.CNSA2)


def test_a_server_whose_root_is_not_of_the_demanded_kind_is_refused(world, model, lines):
    """Its own key is; a quantum computer would make that root sign another."""
    composite = "mldsa65-ecdsa-p256"
    server = ROOT.issue(uris=("spiffe://corp/ns/apps/sa/llm",), algorithm=composite)
    both = Trust.load(pki.trust_files(ROOT, pki.root(composite)))
    _, inner = ingress(world, model.address, leaf=server)
    _, outer = egress(world, inner, trust=both, authentication=PeerAuthentication.HYBRID)
    client = connect(world, outer)

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: any(line.listener == "to-llm" for line in lines))
    mine = next(line for line in lines if line.listener == "to-llm")
    assert mine.reason is ReasonCode.WEAK_AUTHENTICATION
    assert "has a key of type ecdsa-p256" in mine.detail
    assert not model.dialled()


def test_an_upstream_that_is_down_resets_the_client_at_once(world, lines):
    service, outer = egress(world, nobody())
    client = connect(world, outer)

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: lines)
    assert lines[0].end_reason is EndReason.UPSTREAM_DOWN
    assert lines[0].reason is ReasonCode.UPSTREAM_DOWN
    assert service.counters.last_dial_failed is not None


def test_of_several_endpoints_one_that_is_down_is_passed_over(world, model):
    _, inner = ingress(world, model.address)
    _, outer = egress(world, nobody(), inner)
    for _ in range(2):  # each begins with another
        client = connect(world, outer)
        client.send(b"x")
        assert world.read_all(model.accept(), 1) == b"x"


def test_an_upstream_that_is_silent_is_timed_out(world, lines):
    with listening() as silent:
        address = TcpAddress(*silent.getsockname())
        _, outer = egress(world, address, timeouts=Timeouts(handshake=0.05))
        client = connect(world, outer)
        assert how_it_ends(world, client) == "reset"
        world.until(lambda: lines)

    assert lines[0].end_reason is EndReason.HANDSHAKE_TIMEOUT


def test_an_upstream_that_speaks_no_tls_is_refused(world, model, lines):
    _, outer = egress(world, model.address)
    client = connect(world, outer)
    model.accept().send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: lines)
    assert lines[0].reason is ReasonCode.PLAINTEXT


def test_a_client_that_leaves_during_the_handshake_costs_the_upstream_nothing_more(
    world, model, lines
):
    _, outer = egress(world, model.address)
    client = connect(world, outer)
    server = model.accept()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

    world.until(lambda: lines)
    assert lines[0].end_reason is EndReason.CLIENT_LEFT
    assert how_it_ends(world, server) == "reset"


def test_a_refusal_by_the_ingress_is_seen_as_its_alert(world, model, lines):
    _, inner = ingress(world, model.address, allow=("spiffe://corp/ns/apps/sa/other",))
    _, outer = egress(world, inner)
    client = connect(world, outer)
    client.send(b"question")

    assert how_it_ends(world, client) == "reset"
    world.until(lambda: len(lines) == 2)
    mine = next(line for line in lines if line.listener == "to-llm")
    assert mine.end_reason is EndReason.UPSTREAM_ALERT
    assert "access_denied" in mine.detail


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (TcpAddress("llm.test", 443), "llm.test"),
        (TcpAddress("192.0.2.1", 443), None),
        (TcpAddress("2001:db8::1", 443), None),
        (UnixAddress("/run/next.sock"), None),
    ],
)
def test_a_host_name_is_asked_for_an_address_is_not(address, name):
    assert server_name(address) == name


# Resumption


def visit(world, model, outer, lines):
    """One connection through a pair, to its end; the lines of egress and ingress."""
    before = len(lines)
    client = connect(world, outer)
    client.send(b"question")
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    server.send(b"answer")
    assert world.read_all(client, 6) == b"answer"
    client.close()
    server.close()
    world.until(lambda: len(lines) == before + 2)
    new = lines[before:]
    return sorted(new, key=lambda line: line.listener != "to-llm")


def test_a_pair_resumes_and_both_sides_say_so(world, model, lines):
    _, inner = ingress(world, model.address, ticket_keys=(bytes(32),))
    service, outer = egress(world, inner)
    full = visit(world, model, outer, lines)
    resumed = [visit(world, model, outer, lines) for _ in range(3)]

    assert [line.resumed for line in full] == [None, None]
    for mine, theirs in resumed:
        assert mine.resumed is theirs.resumed is True
        assert mine.identity == "spiffe://corp/ns/apps/sa/llm"
        assert theirs.identity == "spiffe://corp/ns/apps/sa/app"
        assert mine.group == theirs.group == "X25519MLKEM768"
    rows = service.counters.snapshot()["handshakes"]
    assert [(row[3], row[5]) for row in rows] == [("false", 1), ("true", 3)]


def test_after_a_reload_the_server_proves_itself_anew(world, model, lines):
    _, inner = ingress(world, model.address, ticket_keys=(bytes(32),))
    service, outer = egress(world, inner)
    visit(world, model, outer, lines)
    service.forget_sessions()

    assert visit(world, model, outer, lines)[0].resumed is None


def test_a_session_is_not_resumed_after_its_end(world, model, lines):
    _, inner = ingress(world, model.address, ticket_keys=(bytes(32),))
    _, outer = egress(world, inner)
    visit(world, model, outer, lines)
    world.now += timedelta(hours=8)

    assert visit(world, model, outer, lines)[0].resumed is None


def test_a_server_that_lost_its_keys_is_reached_all_the_same(world, model, lines):
    """It was restarted: its old tickets are worth nothing, and nobody notices."""
    front, inner = ingress(world, model.address, ticket_keys=(bytes(32),))
    _, outer = egress(world, inner)
    visit(world, model, outer, lines)
    front._worker.ticket_keys.replace([b"1" * 32])

    assert visit(world, model, outer, lines)[0].resumed is None
    assert visit(world, model, outer, lines)[0].resumed is True


def test_where_a_resumption_fails_the_next_connection_does_without(world, model, lines):
    """A server with a fault of its own must not lock us out for as long as there are tickets."""
    _, inner = ingress(world, model.address, ticket_keys=(bytes(32),))
    service, outer = egress(world, inner)
    visit(world, model, outer, lines)
    (kept,) = service._sessions._tickets.values()
    spoilt = [
        replace(ticket, session=replace(ticket.session, psk=tls.Secret(bytes(48))))
        for ticket in kept
    ]
    kept.clear()
    kept.extend(spoilt)
    client = connect(world, outer)
    assert how_it_ends(world, client) == "reset"
    world.until(lambda: len(lines) == 4)
    assert "decrypt_error" in lines[2].detail + lines[3].detail

    assert visit(world, model, outer, lines)[0].resumed is None
