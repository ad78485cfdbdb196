from dataclasses import replace

import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite, HandshakeType
from pqproxy.tls.config import ClientAuthentication
from pqproxy.tls.events import Negotiated
from pqproxy.tls.handshake import TrafficSecret, Transcript, UpdateReceiveSecret
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.key_schedule import SUITES, EarlySecret
from pqproxy.tls.messages import Certificate
from pqproxy.tls.server_authentication import (
    ServerConnected,
    ServerContext,
    ServerFinish,
    WaitCertificate,
    WaitCertificateVerify,
    WaitClientVerdict,
    WaitFinished,
    WaitServerSignature,
)
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, credential
from tests.support.playbook import entropy, message

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
NONE, REQUEST, REQUIRE = (
    ClientAuthentication.NONE,
    ClientAuthentication.REQUEST,
    ClientAuthentication.REQUIRE,
)
NEGOTIATED = Negotiated(0x11EC, SUITE.suite, 0x0403, None, (), None, None, False)


def context(asks=REQUIRE, **changes):
    config = tls.ServerConfig(
        (credential(leaf()),), PROVIDER, client_authentication=asks, **changes
    )
    return ServerContext(config, KeyExchanges(PROVIDER), entropy)


def secret(label, fill=b"s"):
    return TrafficSecret(label, SUITE, tls.Secret(fill * 32))


def wait_finished():
    return WaitFinished(
        Transcript(SUITE), secret("CLIENT_HANDSHAKE"), secret("CLIENT_0", b"a"), NEGOTIATED
    )


def refused(call):
    with pytest.raises(FatalAlert) as caught:
        call()
    return caught.value.description


@pytest.mark.parametrize(
    ("asks", "expected"),
    [(NONE, WaitFinished), (REQUEST, WaitCertificate), (REQUIRE, WaitCertificate)],
)
def test_after_the_signature_a_certificate_is_awaited_where_one_was_asked_for(asks, expected):
    handshake = EarlySecret.without_psk(SUITE).handshake_secret(tls.Secret(bytes(32)))
    finish = ServerFinish(
        context(asks), handshake, secret("S"), secret("C"), NEGOTIATED, gives_tickets=False
    )
    state = WaitServerSignature(finish, Transcript(SUITE), 0x0403)

    step = state.on_signature(b"signature")

    assert isinstance(step.next_state, expected)


@pytest.mark.parametrize("asks", [REQUEST, REQUIRE])
def test_an_empty_chain_passes_only_where_a_certificate_is_not_required(asks):
    state = WaitCertificate(context(asks), wait_finished())
    empty = Certificate(()).message()

    if asks is REQUIRE:
        assert refused(lambda: state.on_message(empty)) is AlertDescription.CERTIFICATE_REQUIRED
    else:
        assert isinstance(state.on_message(empty).next_state, WaitFinished)


@pytest.mark.parametrize(("protocol", "fine"), [(b"x", False), (b"y", True), (None, True)])
def test_a_protocol_may_demand_a_certificate_that_others_only_ask_for(protocol, fine):
    before = wait_finished()
    negotiated = replace(before.negotiated, alpn_protocol=protocol)
    state = WaitCertificate(
        context(REQUEST, certificate_protocols=(b"x",)), replace(before, negotiated=negotiated)
    )
    empty = Certificate(()).message()

    if fine:
        assert isinstance(state.on_message(empty).next_state, WaitFinished)
    else:
        assert refused(lambda: state.on_message(empty)) is AlertDescription.CERTIFICATE_REQUIRED


def test_a_chain_always_wants_a_proof():
    state = WaitCertificate(context(REQUEST), wait_finished())

    step = state.on_message(Certificate(leaf().chain_der).message())

    assert isinstance(step.next_state, WaitCertificateVerify)
    assert step.next_state.expects == {HandshakeType.CERTIFICATE_VERIFY}
    assert step.actions == ()


def test_a_verdict_lets_pass_or_names_the_alert():
    state = WaitClientVerdict(context(), wait_finished(), "ecdsa-p256")
    rejected = tls.Verdict.reject(AlertDescription.CERTIFICATE_EXPIRED, "since yesterday")

    assert isinstance(state.on_verdict(tls.Verdict.accept()).next_state, WaitFinished)
    assert refused(lambda: state.on_verdict(rejected)) is AlertDescription.CERTIFICATE_EXPIRED


def test_waiting_for_finished_remembers_each_message_more():
    before = wait_finished()

    after = before.after(message(HandshakeType.CERTIFICATE, b"x"))

    assert after.transcript.hash() != before.transcript.hash()
    assert before.transcript.hash() == Transcript(SUITE).hash()


def test_a_wrong_finished_is_refused():
    wrong = message(HandshakeType.FINISHED, bytes(32))

    assert refused(lambda: wait_finished().on_message(wrong)) is AlertDescription.DECRYPT_ERROR


def test_a_connected_client_may_only_update_its_key():
    state = ServerConnected()

    assert state.expects == {HandshakeType.KEY_UPDATE}
    step = state.on_message(message(HandshakeType.KEY_UPDATE, b"\1"))
    assert step.actions == (UpdateReceiveSecret(update_requested=True),)
