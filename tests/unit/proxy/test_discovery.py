from dataclasses import replace

import pytest

from pqproxy.proxy.discovery import Found, judge_completed, judge_failed
from pqproxy.tls import AlertDescription, CipherSuite, Failed, NamedGroup, Negotiated

NEGOTIATED = Negotiated(
    group=NamedGroup.X25519MLKEM768,
    cipher_suite=CipherSuite.TLS_AES_256_GCM_SHA384,
    signature_scheme=0x0403,
    peer_signature_scheme=0x0403,
    peer_chain=(b"leaf",),
    server_name=None,
    alpn_protocol=b"pqproxy/1",
    hello_retry=False,
)


def failure(alert=AlertDescription.NO_APPLICATION_PROTOCOL, by_peer=True):
    return Failed(alert, "as it said", by_peer=by_peer)


@pytest.mark.parametrize(
    ("protocol", "found"),
    [(b"pqproxy/1", Found.TUNNEL), (b"http/1.1", Found.PLAIN), (None, Found.PLAIN)],
)
def test_what_the_server_selects_tells_a_sidecar_from_others(protocol, found):
    assert judge_completed(replace(NEGOTIATED, alpn_protocol=protocol)) is found


@pytest.mark.parametrize(
    ("protocol", "found"), [(b"pqproxy/1", Found.NEITHER), (b"http/1.1", Found.PLAIN)]
)
def test_who_has_no_certificate_to_show_does_without_tunnels(protocol, found):
    """Under `client_auth: request` it comes in without one, but through no tunnel."""
    negotiated = replace(NEGOTIATED, alpn_protocol=protocol, unmet_request=(0xFE45,))

    assert judge_completed(negotiated) is found


def test_who_is_not_asked_for_a_certificate_may_have_tunnels_without():
    assert judge_completed(replace(NEGOTIATED, signature_scheme=None)) is Found.TUNNEL


def test_a_server_that_refuses_the_protocol_is_tried_once_more_without():
    assert judge_failed(failure()) is Found.NEITHER


@pytest.mark.parametrize(
    "other",
    [
        None,
        failure(by_peer=False),
        failure(AlertDescription.HANDSHAKE_FAILURE),
        failure(AlertDescription.INSUFFICIENT_SECURITY),
        failure(AlertDescription.ACCESS_DENIED),
    ],
)
def test_no_other_failure_is_worth_a_second_try(other):
    """Above all none about groups: a second connection must never ask for less."""
    assert judge_failed(other) is None
