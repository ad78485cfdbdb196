import logging
import ssl

import pytest

from pqproxy import tls
from pqproxy.config.values import ClientAuth, ConnectionLimits, Policy, Timeouts
from pqproxy.proxy.admission import Admission
from pqproxy.proxy.visit import Visit
from pqproxy.proxy.witness import Witness
from pqproxy.telemetry.evidence import Evidence
from pqproxy.telemetry.log import RefusalLine
from pqproxy.telemetry.observed import MOST_GROUPS
from pqproxy.telemetry.reasons import ReasonCode
from tests.support import pki
from tests.support.loopback import Endpoint
from tests.unit.tls.test_events import negotiated

from .sidecars import CLIENT, STRANGER, Model, connect, egress, ingress
from .test_tls_duplex import TlsPeer

HYBRID, X25519 = tls.NamedGroup.X25519MLKEM768, tls.NamedGroup.x25519
UNTRUSTED = pki.root("ecdsa-p256", "other").issue(uris=("spiffe://corp/ns/apps/sa/app",))
APP = "spiffe://corp/ns/apps/sa/app"
HTTP = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture
def model(world):
    return Model(world)


def tls_client(*leaves, **config):
    """Somebody who speaks TLS 1.3, until it is let in or refused."""

    def come(world, address):
        peer = TlsPeer(world, connect(world, address), Endpoint.client(*leaves, **config))
        peer.until(lambda: peer.end.failure or peer.end.handshake_complete)
        peer.end.close()
        peer.step()

    return come


def says(data):
    """Somebody who says this, and nothing else."""

    def come(world, address):
        connect(world, address).send(data)

    return come


def tls_1_2_hello():
    """As the standard library's OpenSSL writes it."""
    context = ssl.create_default_context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    outgoing = ssl.MemoryBIO()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="model.test")
    with pytest.raises(ssl.SSLWantReadError):
        handshake.do_handshake()
    return outgoing.read()


CLASSICAL = {"groups": (X25519,), "key_shares": (X25519,)}
CALLERS = {
    "hybrid": (tls_client(CLIENT), None),
    "hybrid with a retry": (
        tls_client(CLIENT, groups=(X25519, HYBRID), key_shares=(X25519,)), None
    ),
    "classical": (tls_client(CLIENT, **CLASSICAL), "no_pq_group"),
    "no certificate": (tls_client(), "no_client_certificate"),
    "classical, no certificate": (
        tls_client(**CLASSICAL), "no_pq_group"
    ),
    "not allowed": (tls_client(STRANGER), "not_allowed"),
    "untrusted": (tls_client(UNTRUSTED), "untrusted"),
    "classical, untrusted": (
        tls_client(UNTRUSTED, **CLASSICAL), "no_pq_group"
    ),
    "another application protocol": (
        tls_client(CLIENT, alpn_protocols=(b"h2",)), "protocol_error"
    ),
    "classical, another application protocol": (
        tls_client(CLIENT, **CLASSICAL, alpn_protocols=(b"h2",)),
        "no_pq_group",
    ),
    "plain HTTP": (says(HTTP), "plaintext"),
    "garbage": (says(b"\x00\xff" * 20), "protocol_error"),
    "garbage in a record": (says(b"\x16\x03\x01\x00\x04" + b"\xee" * 4), "protocol_error"),
    "TLS 1.2": (says(tls_1_2_hello()), "tls_version"),
}  # fmt: skip


def seen(world, model, lines, come, policy, **settings):
    """(what is written down, decisions, the reason of the refusal) after one caller."""
    service, address = ingress(world, model.address, policy=policy, alpn=("http/1.1",), **settings)
    come(world, address)
    world.until(lambda: service.counters.decisions.counts)
    refusals = [line.reason for line in lines if isinstance(line, RefusalLine)]
    refused = refusals[0] if refusals else None
    lines.clear()
    return service.counters.evidence, service.counters.decisions.counts, refused


@pytest.mark.parametrize(("come", "reason"), CALLERS.values(), ids=CALLERS)
def test_observe_names_exactly_whom_require_refuses_with_the_same_reason(
    world, model, lines, come, reason
):
    evidence, _, _ = seen(world, model, lines, come, Policy.OBSERVE)
    _, _, refused = seen(world, model, lines, come, Policy.REQUIRE)

    named = [row["reason"] for row in evidence.observed.shown()]
    assert refused == reason
    assert named == ([] if reason is None else [reason])


def test_a_classical_client_is_served_and_written_down_with_what_it_offered(world, model, lines):
    come, _ = CALLERS["classical"]
    evidence, decisions, refused = seen(world, model, lines, come, Policy.OBSERVE)

    (row,) = evidence.observed.shown()
    assert refused is None
    assert decisions == {("would_refuse", "no_pq_group"): 1}
    assert (row["identity"], row["source"]) == (APP, "127.0.0.1")
    assert row["decision"] == "would_refuse"
    assert row["offered_groups"] == ["x25519"]
    assert "ecdsa_secp256r1_sha256" in row["offered_signature_schemes"]
    (entry,) = evidence.ledger.shown()
    assert (entry["identity"], entry["group"], entry["post_quantum"]) == (APP, "x25519", False)


def test_the_log_line_of_a_served_client_says_what_require_would(world, model, lines):
    """So the evidence is kept where there is no control listener, and across restarts."""
    come, _ = CALLERS["classical"]
    _, address = ingress(world, model.address, policy=Policy.OBSERVE, alpn=("http/1.1",))
    come(world, address)
    model.accept().close()
    world.until(lambda: lines)

    assert lines[0].would_refuse is ReasonCode.NO_PQ_GROUP
    assert lines[0].level == logging.INFO


def test_whoever_is_not_served_is_written_down_as_refused(world, model, lines):
    """Counted as what it was refused for today, named by what `require` will say."""
    come, _ = CALLERS["classical, no certificate"]
    evidence, decisions, refused = seen(world, model, lines, come, Policy.OBSERVE)

    (row,) = evidence.observed.shown()
    assert refused is ReasonCode.NO_CLIENT_CERTIFICATE
    assert decisions == {("refused", "no_client_certificate"): 1}
    assert (row["decision"], row["reason"]) == ("refused", "no_pq_group")
    assert (row["identity"], row["source"]) == (None, "127.0.0.1")
    assert row["detail"]
    assert not evidence.ledger.rows


@pytest.mark.parametrize("policy", [Policy.REQUIRE, Policy.PREFER])
def test_other_policies_keep_the_ledger_alone(world, model, lines, policy):
    hybrid, _ = CALLERS["hybrid"]
    http, _ = CALLERS["plain HTTP"]
    first, decisions, _ = seen(world, model, lines, hybrid, policy)
    second, _, _ = seen(world, model, lines, http, policy)

    (entry,) = first.ledger.shown()
    assert decisions == {("accepted", "none"): 1}
    assert entry["identity"] == APP
    assert entry["group"] == "X25519MLKEM768"
    assert entry["post_quantum"]
    assert entry["cipher_suite"] == "TLS_AES_256_GCM_SHA384"
    assert entry["signature"] == entry["peer_signature"] == "ecdsa_secp256r1_sha256"
    assert not entry["resumed"]
    assert not first.observed.rows
    assert not second.observed.rows
    assert not second.ledger.rows


def test_a_resumed_session_is_told_from_a_full_handshake():
    """Nobody showed a certificate in it: what it rests on is older."""
    witness = Witness(Policy.REQUIRE, evidence := Evidence(), lambda: 1.0)
    visit = Visit("llm", "10.0.0.1:7", Admission(ConnectionLimits()).ask("10.0.0.1"), 0.0)
    for resumed in (False, True):
        witness.let_in(visit, negotiated(resumed=resumed))

    assert [entry["resumed"] for entry in evidence.ledger.shown()] == [True, False]


def test_a_handshake_that_took_too_long_tells_nothing_of_the_peer(world, model, lines):
    service, address = ingress(
        world, model.address, policy=Policy.OBSERVE, timeouts=Timeouts(handshake=0.02)
    )
    connect(world, address)
    world.until(lambda: lines)

    assert lines[0].reason is ReasonCode.HANDSHAKE_TIMEOUT
    assert not service.counters.evidence.observed.rows


def test_of_an_endless_offer_only_the_beginning_is_kept(world, model, lines):
    """The hybrid group behind thousands of others still counts: the engine saw it."""
    groups = (*range(0x4000, 0x4000 + 5000), X25519)
    come = tls_client(CLIENT, groups=groups, key_shares=(X25519,))
    evidence, _, _ = seen(world, model, lines, come, Policy.OBSERVE)
    (row,) = evidence.observed.shown()

    assert len(row["offered_groups"]) == MOST_GROUPS

    late = tls_client(CLIENT, groups=(*groups, HYBRID), key_shares=(X25519,))
    evidence, _, _ = seen(world, model, lines, late, Policy.OBSERVE)
    assert not evidence.observed.rows


def test_clients_without_certificates_are_told_apart_by_address(world, model, lines):
    service, address = ingress(
        world, model.address, policy=Policy.OBSERVE, client_auth=ClientAuth.NONE, allow=()
    )
    for come, _ in (CALLERS["classical, no certificate"], CALLERS["no certificate"]):
        come(world, address)
    world.until(lambda: len(service.counters.decisions.counts) == 2)

    (row,) = service.counters.evidence.observed.shown()
    assert (row["identity"], row["source"], row["reason"]) == (None, "127.0.0.1", "no_pq_group")
    assert len(service.counters.evidence.ledger.rows) == 2


def test_an_egress_names_the_server_that_chose_a_classical_group(world, model, lines):
    _, inner = ingress(world, model.address, policy=Policy.PREFER, groups=("x25519",))
    service, outer = egress(world, inner, policy=Policy.OBSERVE)
    client = connect(world, outer)
    model.accept().close()
    client.close()
    world.until(lambda: len(lines) == 2)

    (row,) = service.counters.evidence.observed.shown()
    assert row["identity"] == "spiffe://corp/ns/apps/sa/llm"
    assert (row["source"], row["reason"]) == (str(inner), "no_pq_group")
    assert service.counters.decisions.counts == {("would_refuse", "no_pq_group"): 1}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "plaintext"),
        (bytes.fromhex("15030300020246"), "tls_version"),  # the alert protocol_version
    ],
)
def test_a_server_that_speaks_no_tls_1_3_is_named_by_its_address(
    world, model, lines, answer, reason
):
    service, outer = egress(world, model.address, policy=Policy.OBSERVE)
    connect(world, outer)
    model.accept().send(answer)
    world.until(lambda: lines)

    (row,) = service.counters.evidence.observed.shown()
    assert (row["identity"], row["source"]) == (None, str(model.address))
    assert (row["decision"], row["reason"]) == ("refused", reason)
