from dataclasses import replace

import pytest

from pqproxy.config.values import Profile
from pqproxy.identity.errors import Refused
from pqproxy.proxy.demands import Demands
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.refusals import handshake_result, timeout_fix, why_it_failed
from pqproxy.telemetry.labels import HandshakeResult
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from pqproxy.tls import AlertDescription, Failed


@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        (AlertDescription.INSUFFICIENT_SECURITY, ReasonCode.NO_PQ_GROUP),
        (AlertDescription.PROTOCOL_VERSION, ReasonCode.TLS_VERSION),
        (AlertDescription.CERTIFICATE_REQUIRED, ReasonCode.NO_CLIENT_CERTIFICATE),
        (AlertDescription.UNSUPPORTED_CERTIFICATE, ReasonCode.WEAK_AUTHENTICATION),
        (AlertDescription.NO_APPLICATION_PROTOCOL, ReasonCode.PROTOCOL_ERROR),
        (AlertDescription.DECODE_ERROR, ReasonCode.PROTOCOL_ERROR),
        (AlertDescription.DECRYPT_ERROR, ReasonCode.PROTOCOL_ERROR),
    ],
)
def test_each_alert_of_ours_has_a_reason_code_and_a_fix(alert, reason):
    ended = why_it_failed(Failed(alert, "detail"), None, CLIENT)

    assert (ended.end, ended.reason, ended.detail) == (EndReason.REFUSED, reason, "detail")
    assert ended.fix


@pytest.mark.parametrize("side", [CLIENT, UPSTREAM])
def test_who_has_no_protocol_in_common_is_told_which_keys_to_compare(side):
    """Tunnels that one side requires and the other has not are a matter of configuration."""
    ended = why_it_failed(Failed(AlertDescription.NO_APPLICATION_PROTOCOL, "none"), None, side)

    assert "alpn" in ended.fix
    assert "tunnel.mode" in ended.fix


def test_text_instead_of_tls_is_called_plaintext_and_garbage_is_not():
    garbage = Failed(AlertDescription.UNEXPECTED_MESSAGE, "not TLS", not_tls=True)
    text = replace(garbage, plaintext=True)

    assert why_it_failed(text, None, CLIENT).reason is ReasonCode.PLAINTEXT
    assert why_it_failed(garbage, None, CLIENT).reason is ReasonCode.PROTOCOL_ERROR


def test_a_rejected_chain_keeps_the_reason_it_was_rejected_for():
    refusal = Refused(ReasonCode.EXPIRED, "certificate_expired", "since yesterday", "renew it")
    failed = Failed(AlertDescription.CERTIFICATE_EXPIRED, "since yesterday")
    ended = why_it_failed(failed, refusal, CLIENT)

    assert (ended.reason, ended.fix) == (ReasonCode.EXPIRED, "renew it")


@pytest.mark.parametrize(
    ("side", "left", "alert"),
    [
        (CLIENT, EndReason.CLIENT_LEFT, EndReason.CLIENT_ALERT),
        (UPSTREAM, EndReason.UPSTREAM_LEFT, EndReason.UPSTREAM_ALERT),
    ],
)
def test_a_peer_that_leaves_or_says_no_is_no_refusal_of_ours(side, left, alert):
    by_peer = Failed(AlertDescription.UNKNOWN_CA, "peer said unknown_ca", by_peer=True)

    assert why_it_failed(None, None, side).end is left
    assert why_it_failed(by_peer, None, side).end is alert
    assert why_it_failed(by_peer, None, side).reason is None
    assert why_it_failed(by_peer, None, side).fix


@pytest.mark.parametrize(
    ("alert", "reason"),
    [
        (AlertDescription.PROTOCOL_VERSION, ReasonCode.TLS_VERSION),
        (AlertDescription.INSUFFICIENT_SECURITY, ReasonCode.NO_PQ_GROUP),
    ],
)
def test_what_a_server_says_of_itself_is_a_reason_and_what_a_client_says_is_none(alert, reason):
    """A client's alert is about us."""
    failed = Failed(alert, "peer said so", by_peer=True)

    assert why_it_failed(failed, None, UPSTREAM).reason is reason
    assert why_it_failed(failed, None, CLIENT).reason is None


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        (Failed(AlertDescription.UNEXPECTED_MESSAGE, "x", plaintext=True), ReasonCode.PLAINTEXT),
        (Failed(AlertDescription.PROTOCOL_VERSION, "x"), ReasonCode.TLS_VERSION),
        (Failed(AlertDescription.INSUFFICIENT_SECURITY, "x"), ReasonCode.NO_PQ_GROUP),
    ],
)
def test_what_fixes_a_server_is_not_what_fixes_a_client(failed, reason):
    server, client = why_it_failed(failed, None, UPSTREAM), why_it_failed(failed, None, CLIENT)

    assert server.reason is client.reason is reason
    assert "pqproxy serve" in server.fix
    assert "pqproxy connect" in client.fix


def test_a_server_that_hangs_up_is_down_and_a_client_has_just_left():
    assert why_it_failed(None, None, UPSTREAM).reason is ReasonCode.UPSTREAM_DOWN
    assert why_it_failed(None, None, CLIENT).reason is None


def test_a_server_that_is_silent_may_be_a_plaintext_one():
    assert "speaks TLS at this port" in timeout_fix(UPSTREAM)
    assert "client" in timeout_fix(CLIENT)


def test_our_own_bug_is_an_internal_error():
    failed = Failed(AlertDescription.INTERNAL_ERROR, "internal error", cause=ValueError())

    assert why_it_failed(failed, None, CLIENT).end is EndReason.INTERNAL_ERROR


def test_what_a_listener_demands_beyond_the_usual_is_said_instead():
    failed = Failed(AlertDescription.HANDSHAKE_FAILURE, "no common cipher suite")
    by_peer = Failed(AlertDescription.HANDSHAKE_FAILURE, "peer said", by_peer=True)
    demands = Demands(Profile.CNSA2)

    assert why_it_failed(failed, None, CLIENT, demands).reason is ReasonCode.PROFILE
    assert "cnsa2" in why_it_failed(failed, None, CLIENT, demands).fix
    assert "cnsa2" in why_it_failed(by_peer, None, UPSTREAM, demands).fix
    # Some choose their certificate only once they have keys.
    late = replace(by_peer, authenticated=True)
    assert why_it_failed(late, None, UPSTREAM, demands).reason is ReasonCode.PROFILE


def test_what_metrics_call_it():
    failed = Failed(AlertDescription.DECODE_ERROR, "x")
    by_peer = Failed(AlertDescription.DECODE_ERROR, "x", by_peer=True)

    assert handshake_result(None) is HandshakeResult.PEER_LEFT
    assert handshake_result(failed) is HandshakeResult.REFUSED
    assert handshake_result(by_peer) is HandshakeResult.PEER_ALERT
