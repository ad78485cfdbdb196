import pytest

from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.peer_alerts import GOING, alert_for_end, end_for_alert, fix_for_alert
from pqproxy.telemetry.log import LONGEST_VALUE
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tls import AlertDescription, CipherSuite, Negotiated


@pytest.mark.parametrize(
    ("alert", "side", "words"),
    [
        (AlertDescription.ACCESS_DENIED, UPSTREAM, "its allow"),
        (AlertDescription.ACCESS_DENIED, CLIENT, "its expect"),
        (AlertDescription.CERTIFICATE_REQUIRED, UPSTREAM, "an identity that fits"),
        (AlertDescription.UNKNOWN_CA, UPSTREAM, "our root"),
        (AlertDescription.UNKNOWN_CA, CLIENT, "does not trust our certificate"),
        (AlertDescription.HANDSHAKE_FAILURE, UPSTREAM, "policy: prefer"),
    ],
)
def test_an_alert_means_something_else_from_a_server_than_from_a_client(alert, side, words):
    assert words in fix_for_alert(alert, side)


def test_a_server_that_misses_a_certificate_asked_for_one_of_a_kind():
    """Its alert comes after the handshake, in which it said what it takes."""
    negotiated = Negotiated(
        group=0x11EC,
        cipher_suite=CipherSuite.TLS_AES_256_GCM_SHA384,
        signature_scheme=None,
        peer_signature_scheme=0x0403,
        peer_chain=(),
        server_name=None,
        alpn_protocol=None,
        hello_retry=False,
        unmet_request=(0xFE45, 0xFE49, 0x0905, 0x0906, 0x0904, 0x0503, 0x0403),
    )
    fix = fix_for_alert(AlertDescription.CERTIFICATE_REQUIRED, UPSTREAM, negotiated)

    assert "a certificate that signs with mldsa65_ecdsa_p256, mldsa87_ecdsa_p384" in fix
    assert "0x" not in fix
    assert len(fix) <= LONGEST_VALUE
    assert "our root" in fix_for_alert(AlertDescription.UNKNOWN_CA, UPSTREAM, negotiated)


@pytest.mark.parametrize("side", [CLIENT, UPSTREAM])
def test_what_helps_fits_into_a_log_line(side):
    assert all(len(fix_for_alert(alert, side)) <= LONGEST_VALUE for alert in range(256))


def test_an_alert_without_a_rule_points_to_the_log_of_whoever_sent_it():
    assert "the server's own log" in fix_for_alert(AlertDescription.DECODE_ERROR, UPSTREAM)
    assert "the client's own log" in fix_for_alert(255, CLIENT)


def test_a_sidecar_whose_client_left_needs_no_fix():
    assert fix_for_alert(GOING, CLIENT) == ""
    assert fix_for_alert(AlertDescription.INTERNAL_ERROR, CLIENT)
    assert fix_for_alert(AlertDescription.INTERNAL_ERROR, UPSTREAM)


def test_a_client_that_goes_has_left_and_any_other_alert_is_an_alert():
    assert end_for_alert(GOING, CLIENT) is EndReason.CLIENT_LEFT
    assert end_for_alert(AlertDescription.INTERNAL_ERROR, CLIENT) is EndReason.CLIENT_ALERT
    assert end_for_alert(GOING, UPSTREAM) is EndReason.UPSTREAM_ALERT


def test_no_closure_alert_says_that_a_client_goes():
    """A server would take what came before it for the whole of it."""
    assert GOING not in (AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED)


@pytest.mark.parametrize(
    ("reason", "to_client", "to_server"),
    [
        (EndReason.REVOKED, "CERTIFICATE_REVOKED", "CERTIFICATE_REVOKED"),
        (EndReason.EXPIRED, "CERTIFICATE_EXPIRED", "CERTIFICATE_EXPIRED"),
        (EndReason.DRAINED, "INTERNAL_ERROR", "GENERAL_ERROR"),
        (EndReason.CLIENT_LEFT, "INTERNAL_ERROR", "GENERAL_ERROR"),
        (EndReason.INTERNAL_ERROR, "INTERNAL_ERROR", "INTERNAL_ERROR"),
    ],
)
def test_who_is_cut_is_told_what_it_can_mend_itself(reason, to_client, to_server):
    assert alert_for_end(reason, CLIENT).name == to_client
    assert alert_for_end(reason, UPSTREAM).name == to_server


@pytest.mark.parametrize("side", [CLIENT, UPSTREAM])
def test_a_peer_that_is_revoked_reads_so(side):
    assert "is revoked there" in fix_for_alert(AlertDescription.CERTIFICATE_REVOKED, side)
