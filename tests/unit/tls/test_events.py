from dataclasses import replace

from pqproxy import tls
from pqproxy.tls import events
from pqproxy.tls.events import Negotiated, Offer
from pqproxy.tls.schemes import SchemeTable
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, credential


def offer(*groups):
    return Offer(
        client_random=bytes(32),
        supported_versions=(0x0304,),
        supported_groups=groups,
        key_shares=(),
        signature_schemes=(),
        server_name=None,
        alpn_protocols=(),
    )


def negotiated(**changes):
    values = {
        "group": 0x11EC,
        "cipher_suite": tls.CipherSuite.TLS_AES_128_GCM_SHA256,
        "signature_scheme": 0x0905,
        "peer_signature_scheme": None,
        "peer_chain": (),
        "server_name": None,
        "alpn_protocol": None,
        "hello_retry": False,
    }
    return Negotiated(**{**values, **changes})


def test_groups_are_described_by_name_and_unknown_ones_by_number():
    described = offer(0x11EC, 0x0A0A, 0x001E).describe_groups()

    assert described == "X25519MLKEM768, 0x0a0a, x448"


def test_a_long_list_of_groups_is_cut():
    long = offer(*range(0x1000, 0x1000 + 30_000))

    assert long.describe_groups(at_most=2) == "0x1000, 0x1001, and more"
    assert long.excerpt().describe_groups() == long.describe_groups()


def test_of_a_long_list_only_what_is_shown_is_named(monkeypatch):
    """To name an unknown number takes microseconds, and a stranger's hello has 30 000."""
    named = []
    monkeypatch.setattr(events, "name_of", lambda kind, point: named.append(point) or "x")
    monkeypatch.setattr(SchemeTable, "name", lambda self, point: named.append(point) or "x")
    long = replace(offer(*range(30_000)), signature_schemes=tuple(range(30_000)))

    long.describe_groups()
    long.describe_signatures()

    assert len(named) <= 18


def test_an_excerpt_keeps_what_is_short_and_cuts_what_is_long():
    short = offer(0x11EC, 0x001D)

    assert short.excerpt() == short
    assert len(offer(*range(30_000)).excerpt().supported_groups) == 32


def test_an_offer_of_no_group_says_so():
    assert offer().describe_groups() == "none"


def test_everything_offered_has_a_name():
    """GREASE and what nobody knows included."""
    offered = replace(offer(0x11EC, 0x0A0A, 0x001E), signature_schemes=(0x0403, 0x0807, 0x1A1A))

    assert offered.group_names == ("X25519MLKEM768", "0x0a0a", "x448")
    assert offered.signature_names == ("ecdsa_secp256r1_sha256", "ed25519", "0x1a1a")


def test_what_was_negotiated_is_named_for_people():
    both = negotiated(peer_signature_scheme=0x0403)

    assert both.group_name == "X25519MLKEM768"
    assert both.signature_name == "mldsa65"
    assert both.peer_signature_name == "ecdsa_secp256r1_sha256"
    assert negotiated().peer_signature_name is None


def test_a_verdict_accepts_or_names_the_alert():
    assert tls.Verdict.accept().alert is None
    rejected = tls.Verdict.reject(tls.AlertDescription.ACCESS_DENIED, "not allowed")
    assert (rejected.alert, rejected.reason) == (49, "not allowed")


def test_a_requested_signature_verifies_with_the_key_of_the_credential():
    own = leaf()
    algorithm = PROVIDER.signatures["ECDSA-P256-SHA256"]
    request = tls.SignatureRequested(1, credential(own), algorithm, b"content")

    algorithm.verify(own.key.public_key(), request.sign(), b"content")


def test_a_failure_names_its_alert_and_hides_the_values_of_its_cause():
    failed = tls.Failed(80, "internal error: ValueError", cause=ValueError("secret bytes"))

    assert failed.alert_name == "internal_error"
    assert "secret bytes" not in repr(failed)
