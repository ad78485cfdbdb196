import asyncio
import socket
import struct
from datetime import timedelta

import pytest

from pqproxy import tls
from pqproxy.config.values import (
    ClientAuth,
    ConnectionLimits,
    PeerAuthentication,
    Policy,
    Profile,
    TcpAddress,
    Timeouts,
    TrustFiles,
)
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.trust import Trust
from pqproxy.proxy import admission
from pqproxy.proxy.buffers import BULK
from pqproxy.telemetry.log import RefusalLine
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from tests.support import pki
from tests.support.loopback import Endpoint
from tests.support.resumption import received

from .sidecars import CLIENT, ROOT, STRANGER, Model, connect, how_it_ends, ingress
from .test_tls_duplex import TlsPeer


@pytest.fixture
def model(world):
    return Model(world)


def client(world, address, *leaves, **config):
    return TlsPeer(world, connect(world, address), Endpoint.client(*leaves, **config))


def test_a_client_that_is_allowed_reaches_the_model_and_is_logged_once(world, model, lines):
    service, address = ingress(world, model.address)
    peer = client(world, address, CLIENT, server_name="llm.test")
    peer.until(lambda: peer.end.handshake_complete)
    peer.send(b"question")
    server = model.accept()
    assert world.read_all(server, 8) == b"question"
    server.send(b"answer")
    peer.until(lambda: peer.end.received == b"answer")
    peer.end.close()
    peer.step()
    server.close()
    world.until(lambda: lines)
    world.turn(10)

    (line,) = lines
    assert line.end_reason is EndReason.FINISHED
    assert line.identity == "spiffe://corp/ns/apps/sa/app"
    assert (line.group, line.cipher_suite) == ("X25519MLKEM768", "TLS_AES_256_GCM_SHA384")
    assert line.signature == line.peer_signature == "ecdsa_secp256r1_sha256"
    assert (line.received, line.sent, line.server_name) == (8, 6, "llm.test")
    assert 0 < line.first_byte <= line.duration
    assert line.upstream == str(model.address)
    assert service.counters.snapshot()["bytes"] == [8, 6, 6, 8]
    assert service.counters.active["tls"] == 0
    assert service.admission.connections == 0


@pytest.mark.parametrize(
    ("leaf", "alert", "reason"),
    [
        (STRANGER, tls.AlertDescription.ACCESS_DENIED, ReasonCode.NOT_ALLOWED),
        (
            pki.root("ecdsa-p256", "other").issue(uris=("spiffe://corp/ns/apps/sa/app",)),
            tls.AlertDescription.UNKNOWN_CA,
            ReasonCode.UNTRUSTED,
        ),
        (
            pki.root("ecdsa-p256").issue(
                uris=("spiffe://corp/ns/apps/sa/app",), not_after=pki.PAST
            ),
            tls.AlertDescription.CERTIFICATE_EXPIRED,
            ReasonCode.EXPIRED,
        ),
        (None, tls.AlertDescription.CERTIFICATE_REQUIRED, ReasonCode.NO_CLIENT_CERTIFICATE),
    ],
    ids=["not allowed", "untrusted", "expired", "no certificate"],
)
def test_a_peer_that_may_not_come_in_gets_an_alert_and_costs_no_dial(
    world, model, lines, leaf, alert, reason
):
    service, address = ingress(world, model.address)
    peer = client(world, address, *([leaf] if leaf else []))
    peer.until(lambda: peer.end.failure)
    world.until(lambda: lines)

    assert peer.end.failure.alert == alert
    (line,) = lines
    assert isinstance(line, RefusalLine)
    assert line.reason is reason
    assert line.fix
    assert not model.dialled()
    assert service.counters.decisions.counts == {("refused", reason): 1}
    assert sum(service.counters.connections.counts.values()) == 1


def test_a_client_without_a_post_quantum_group_is_refused_and_told_what_it_offered(
    world, model, lines
):
    _, address = ingress(world, model.address)
    peer = client(world, address, CLIENT, groups=(tls.NamedGroup.x25519,))
    peer.until(lambda: peer.end.failure)
    world.until(lambda: lines)

    assert peer.end.failure.alert == tls.AlertDescription.INSUFFICIENT_SECURITY
    assert lines[0].reason is ReasonCode.NO_PQ_GROUP
    assert lines[0].offered == "x25519"
    assert "X25519MLKEM768" in lines[0].fix


def test_prefer_accepts_a_classical_client(world, model):
    _, address = ingress(world, model.address, policy=Policy.PREFER)
    peer = client(world, address, CLIENT, groups=(tls.NamedGroup.x25519,))
    peer.until(lambda: peer.end.handshake_complete)
    model.accept()


def test_a_profile_that_our_certificate_does_not_fit_is_never_served(world, model):
    """Whoever let such settings pass: it fails closed here."""
    with pytest.raises(IdentityError, match="cnsa2 demands mldsa87"):
        ingress(world, model.address, profile=Profile.CNSA2)


def test_plaintext_is_refused_by_name(world, model, lines):
    _, address = ingress(world, model.address)
    sock = connect(world, address)
    sock.send(b"GET / HTTP/1.1\r\n\r\n")
    world.until(lambda: lines)

    assert lines[0].reason is ReasonCode.PLAINTEXT
    assert not model.dialled()


def test_anonymous_clients_come_in_where_none_are_asked(world, model):
    _, address = ingress(world, model.address, client_auth=ClientAuth.NONE, allow=())
    peer = client(world, address)
    peer.until(lambda: peer.end.handshake_complete)
    model.accept()


@pytest.mark.parametrize("leaf", [None, STRANGER], ids=["anonymous", "known"])
def test_a_certificate_that_is_only_requested_may_be_missing(world, model, leaf):
    _, address = ingress(world, model.address, client_auth=ClientAuth.REQUEST, allow=())
    peer = client(world, address, *([leaf] if leaf else []))
    peer.until(lambda: peer.end.handshake_complete)
    model.accept()


def test_a_peer_with_tiny_records_is_read_for_slot_by_slot(world, model, monkeypatch):
    """Or it could have a megabyte cut into records of 63 bytes within one turn of everybody."""
    monkeypatch.setattr("pqproxy.tls.client_hello.MAX_FRAGMENT", 63)
    service, address = ingress(world, model.address)
    peer = client(world, address, CLIENT)
    peer.until(lambda: peer.end.handshake_complete)
    server = model.accept()
    server.send(bytes(100_000))
    peer.until(lambda: len(peer.end.received) == 100_000)

    (splice,) = (visit.splice for visit in service.visits)
    assert max(peer.end.fragments) == 63
    assert not splice.b._bulk
    assert splice.b._bulk_from > BULK


def test_a_certificate_that_is_only_requested_must_be_on_the_list(world, model):
    """Whoever shows none is let in all the same, which the configuration makes people say."""
    _, address = ingress(world, model.address, client_auth=ClientAuth.REQUEST)
    stranger, anonymous = client(world, address, STRANGER), client(world, address)
    stranger.until(lambda: stranger.end.failure)
    anonymous.until(lambda: anonymous.end.handshake_complete)

    assert stranger.end.failure.alert == tls.AlertDescription.ACCESS_DENIED
    model.accept()


def test_a_model_that_is_down_resets_the_client_at_once_with_a_reason(world, lines):
    with socket.create_server(("127.0.0.1", 0)) as gone:
        forward = TcpAddress(*gone.getsockname())
    service, address = ingress(world, forward)
    peer = client(world, address, CLIENT)
    peer.until(lambda: peer.how)
    world.until(lambda: lines)

    assert peer.how == "reset"
    assert lines[0].end_reason is EndReason.UPSTREAM_DOWN
    assert lines[0].reason is ReasonCode.UPSTREAM_DOWN
    assert "connection refused" in lines[0].detail
    assert service.counters.connects.counts == {("refused",): 1}


def test_a_silent_peer_is_timed_out(world, model, lines):
    service, address = ingress(world, model.address, timeouts=Timeouts(handshake=0.05))
    sock = connect(world, address)
    assert how_it_ends(world, sock) == "reset"
    world.until(lambda: lines)

    assert lines[0].end_reason is EndReason.HANDSHAKE_TIMEOUT
    assert service.admission.handshakes == 0


def silent_ones(world, model, monkeypatch, handshake):
    """Two peers that say nothing, at a listener with one place and no patience."""
    monkeypatch.setattr(admission, "PATIENCE", 0.0)
    limits = ConnectionLimits(handshakes=1)
    service, address = ingress(
        world, model.address, timeouts=Timeouts(handshake=handshake), limits=limits
    )
    first = connect(world, address)
    world.until(lambda: service.admission.handshakes == 1)
    return service, first, address


def test_a_silent_peer_gives_way_to_a_newcomer(world, model, lines, monkeypatch):
    service, first, address = silent_ones(world, model, monkeypatch, 20.0)
    connect(world, address)
    assert how_it_ends(world, first) == "reset"
    world.until(lambda: lines)

    assert lines[0].reason is ReasonCode.OVERLOAD
    assert lines[0].detail.startswith("limits.handshakes: 1 is reached")
    assert service.admission.handshakes == 1


def test_a_place_may_be_given_up_by_who_has_just_run_out_of_time(world, model, lines, monkeypatch):
    """The task learns of that a turn later; a listener may accept in between."""
    expire, services = asyncio.Timeout._on_timeout, []

    def expire_and_accept(timeout):
        expire(timeout)
        if services:
            assert services.pop().admission.ask("somebody else")

    monkeypatch.setattr(asyncio.Timeout, "_on_timeout", expire_and_accept)
    service, first, _ = silent_ones(world, model, monkeypatch, 0.2)
    services.append(service)
    assert how_it_ends(world, first) == "reset"
    world.until(lambda: lines)

    assert lines[0].reason is ReasonCode.OVERLOAD
    assert service.admission.handshakes == 1


def test_a_client_that_leaves_while_the_model_is_dialled_stops_the_dial(
    world, model, lines, monkeypatch
):
    dialling = asyncio.Event()

    async def never(*_):
        dialling.set()
        await asyncio.Event().wait()

    monkeypatch.setattr("pqproxy.proxy.service.dial", never)
    _, address = ingress(world, model.address)
    peer = client(world, address, CLIENT)
    peer.until(dialling.is_set)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.sock.close()
    world.until(lambda: lines)

    assert lines[0].end_reason is EndReason.CLIENT_LEFT


def test_too_many_of_one_source_are_closed_and_counted(world, model, lines):
    limits = ConnectionLimits(handshakes_per_source=2)
    service, address = ingress(world, model.address, limits=limits)
    silent = [connect(world, address) for _ in range(2)]
    world.until(lambda: service.admission.handshakes == 2)
    for _ in range(5):
        assert how_it_ends(world, connect(world, address)) == "fin"

    assert service.counters.decisions.counts == {("refused", ReasonCode.OVERLOAD): 5}
    assert [line.reason for line in lines] == [ReasonCode.OVERLOAD]  # one line, not five
    assert lines[0].detail == "limits.handshakes_per_source: 2 is reached"
    assert silent


def test_bytes_of_a_connection_that_is_still_open_are_counted_once(world, model):
    service, address = ingress(world, model.address)
    peer = client(world, address, CLIENT)
    peer.until(lambda: peer.end.handshake_complete)
    server = model.accept()
    peer.send(b"question")
    assert world.read_all(server, 8) == b"question"
    for _ in range(3):
        service.count_bytes()

    assert service.counters.snapshot()["bytes"] == [8, 0, 0, 8]


def test_a_drain_cut_resets_both_sides_and_whoever_is_on_the_way_in(world, model, lines):
    service, address = ingress(world, model.address)
    peer = client(world, address, CLIENT)
    peer.until(lambda: peer.end.handshake_complete)
    server = model.accept()
    waiting = connect(world, address)
    world.until(lambda: service.admission.connections == 2)
    service.stop_listening()
    service.cut()
    world.until(lambda: not service.visits)

    assert how_it_ends(world, server) == "reset"
    assert how_it_ends(world, waiting) == "reset"
    assert {line.end_reason for line in lines} == {EndReason.DRAINED}
    assert len(lines) == 2


def test_secrets_go_to_the_key_log_where_one_was_asked_for(world, model):
    written = []
    _, address = ingress(world, model.address, key_log=written.append)
    peer = client(world, address, CLIENT)
    peer.until(lambda: peer.end.handshake_complete)
    model.accept()

    assert any(line.startswith("CLIENT_TRAFFIC_SECRET_0 ") for line in written)


def test_a_bug_of_ours_ends_one_connection_and_is_logged(world, model, lines, monkeypatch, caplog):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("pqproxy.proxy.ingress.ServerConnection", broken)
    service, address = ingress(world, model.address)
    sock = connect(world, address)
    world.until(lambda: lines)

    assert lines[0].end_reason is EndReason.INTERNAL_ERROR
    assert "ZeroDivisionError" in caplog.text
    assert service.admission.connections == 0
    assert how_it_ends(world, sock) in ("fin", "reset")


# What is demanded of signatures

COMPOSITE = "mldsa65-ecdsa-p256"
KINDS = {kind: pki.root(kind) for kind in ("ecdsa-p256", "mldsa65", COMPOSITE)}
ALL_KINDS = Trust.load(pki.trust_files(*KINDS.values()))
APP = ("spiffe://corp/ns/apps/sa/app",)
PATHS = {
    "composite": KINDS[COMPOSITE].issue(uris=APP),
    "composite through an intermediate": KINDS[COMPOSITE].intermediate().issue(uris=APP),
    "ml-dsa": KINDS["mldsa65"].issue(uris=APP),
    "composite below ml-dsa": KINDS["mldsa65"].issue(uris=APP, algorithm=COMPOSITE),
    "ml-dsa below composite": KINDS[COMPOSITE].issue(uris=APP, algorithm="mldsa65"),
    "ecdsa": CLIENT,
    "ecdsa below composite": KINDS[COMPOSITE].issue(uris=APP, algorithm="ecdsa-p256"),
    "composite below ecdsa": ROOT.issue(uris=APP, algorithm=COMPOSITE),
    "composite, ecdsa, composite": KINDS[COMPOSITE]
    .intermediate(algorithm="ecdsa-p256")
    .issue(uris=APP, algorithm=COMPOSITE),
}
HYBRID, POST_QUANTUM = PeerAuthentication.HYBRID, PeerAuthentication.POST_QUANTUM
TAKEN = {
    HYBRID: {"composite", "composite through an intermediate"},
    POST_QUANTUM: {name for name in PATHS if "ecdsa" not in name},
}


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("demand", TAKEN)
def test_a_demand_holds_for_every_key_up_to_and_including_the_root(
    world, model, lines, demand, path
):
    """The trust set holds roots of all kinds: what is demanded is not what is trusted."""
    _, address = ingress(world, model.address, trust=ALL_KINDS, authentication=demand)
    peer = client(world, address, PATHS[path])
    if path in TAKEN[demand]:
        peer.until(lambda: peer.end.handshake_complete)
        model.accept()
        return
    peer.until(lambda: peer.end.failure)
    world.until(lambda: lines)

    assert lines[0].reason is ReasonCode.WEAK_AUTHENTICATION
    assert "certs issue --algorithm" in lines[0].fix
    assert "mldsa65_ecdsa_p256, " in lines[0].offered
    assert not model.dialled()


def test_a_listener_without_a_root_that_fits_its_demand_is_never_served(world, model):
    """Whoever let such settings pass: it fails closed here."""
    with pytest.raises(IdentityError, match="authentication: hybrid takes no other"):
        ingress(world, model.address, authentication=HYBRID)


def test_a_ticket_of_a_listener_that_takes_any_opens_no_stricter_one(world, model, lines):
    """Both have the keys of tickets; the full handshake then refuses."""
    shared = {"ticket_keys": KEYS, "trust": ALL_KINDS, "listen": TcpAddress("127.0.0.1", 8443)}
    _, lenient = ingress(world, model.address, **shared)
    _, strict = ingress(world, model.address, authentication=POST_QUANTUM, **shared)
    ticket = first_ticket(world, model, lenient, lines)
    clock = {"clock": lambda: world.now.timestamp(), "ticket": ticket}
    peer = client(world, strict, CLIENT, **clock)
    peer.until(lambda: peer.end.failure)

    assert peer.end.failure.alert == tls.AlertDescription.CERTIFICATE_REQUIRED
    assert not model.dialled()


# Resumption


KEYS = (bytes(32),)


def resuming(world, address, ticket=None, **config):
    """A client that wants tickets, or has one; it has finished its handshake."""
    end = Endpoint.client(CLIENT, clock=lambda: world.now.timestamp(), ticket=ticket, **config)
    peer = TlsPeer(world, connect(world, address), end)
    peer.until(lambda: end.handshake_complete and (received(end) or end.negotiated.resumed))
    return peer


def first_ticket(world, model, address, lines):
    """One full handshake; its connection is over and logged."""
    peer = resuming(world, address)
    leave(world, model, peer, lines)
    return received(peer.end)[0]


def leave(world, model, peer, lines):
    before = len(lines)
    server = model.accept()
    peer.end.close()
    peer.step()
    server.close()
    world.until(lambda: len(lines) > before)


def test_a_client_that_comes_back_is_known_without_its_certificate(world, model, lines):
    service, address = ingress(world, model.address, ticket_keys=KEYS)
    ticket = first_ticket(world, model, address, lines)
    peer = resuming(world, address, ticket)
    leave(world, model, peer, lines)

    first, second = lines
    assert peer.end.negotiated.resumed
    assert (first.resumed, second.resumed) == (None, True)
    assert second.identity == first.identity == "spiffe://corp/ns/apps/sa/app"
    assert second.signature is second.peer_signature is None
    rows = service.counters.snapshot()["handshakes"]
    assert [(row[1], row[3], row[5]) for row in rows] == [
        ("ecdsa_secp256r1_sha256", "false", 1),
        ("none", "true", 1),
    ]


OTHER_TRUST = Trust.load(
    TrustFiles("mesh", (ROOT.certificate_pem, pki.root("ecdsa-p256", "b").certificate_pem), "mesh")
)


@pytest.mark.parametrize(
    "changes",
    [
        {"policy": Policy.PREFER},
        {"allow": ("spiffe://corp/ns/apps/sa/app",)},
        {"trust": OTHER_TRUST},
        {"listen": TcpAddress("127.0.0.1", 1)},
        {"ticket_keys": (bytes(31) + b"1",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_ticket_is_good_only_where_and_how_it_was_given(world, model, lines, changes):
    """Another policy, other trust, another listener: a full handshake, without a word."""
    here = TcpAddress("127.0.0.1", 8443)
    _, first = ingress(world, model.address, ticket_keys=KEYS, listen=here)
    _, same = ingress(world, model.address, ticket_keys=KEYS, listen=here)
    settings = {"ticket_keys": KEYS, "listen": here, **changes}
    _, changed = ingress(world, model.address, **settings)
    ticket = first_ticket(world, model, first, lines)

    assert resuming(world, same, ticket).end.negotiated.resumed
    assert not resuming(world, changed, ticket).end.negotiated.resumed


def test_a_session_ends_with_the_certificate_that_began_it(world, model, lines):
    """However young the ticket is."""
    _, address = ingress(world, model.address, ticket_keys=KEYS)
    short = ROOT.issue(
        uris=("spiffe://corp/ns/apps/sa/app",), not_after=pki.NOW + timedelta(minutes=5)
    )
    end = Endpoint.client(short, clock=lambda: world.now.timestamp())
    peer = TlsPeer(world, connect(world, address), end)
    peer.until(lambda: received(end))
    ticket = received(end)[0]
    assert ticket.session.end <= world.now.timestamp() + 300
    world.now += timedelta(minutes=6)

    assert not resuming(world, address, ticket).end.negotiated.resumed


def test_a_name_that_is_not_allowed_does_not_come_in_by_a_ticket(world, model, lines):
    """Judged anew each time, whatever is sealed in the ticket."""
    service, address = ingress(world, model.address, ticket_keys=KEYS)
    ticket = first_ticket(world, model, address, lines)
    service._judge.names = IdentityPatterns.parse(["spiffe://corp/ns/other/sa/*"])
    end = Endpoint.client(CLIENT, clock=lambda: world.now.timestamp(), ticket=ticket)
    peer = TlsPeer(world, connect(world, address), end)
    peer.until(lambda: end.failure)

    assert end.failure.alert == tls.AlertDescription.ACCESS_DENIED
    world.until(lambda: len(lines) == 2)
    assert lines[1].reason is ReasonCode.NOT_ALLOWED
