"""Real handshakes with servers that are ours, foreign in manner, or no TLS at all."""

import asyncio

import pytest

from pqproxy.checking.findings import Level
from pqproxy.checking.peers import check_peers
from pqproxy.tls import (
    AlertDescription,
    AlpnDemand,
    CipherSuite,
    ClientAuthentication,
    NamedGroup,
    Verdict,
)
from tests.support import pki
from tests.support.loopback import Endpoint
from tests.support.plain_server import serving
from tests.support.sockets import Server
from tests.unit.checking.subjects import CLIENT, SERVER

TUNNEL = b"pqproxy/1"


def found(subject):
    async def collect():
        return [finding async for finding in check_peers(subject)]

    return asyncio.run(collect())


def peer(place, make, **egress):
    """What is found of an egress before a server."""
    with Server(make) as server:
        subject = place.subject("egress", connect=[f"127.0.0.1:{server.port}"], **egress)
        (finding,) = found(subject)
    return finding


def server_of(place, **config):
    own = place.root.issue(uris=(SERVER,))
    return lambda: Endpoint.server(own, **config)


def test_a_peer_that_serves_us_is_shown_with_all_that_was_agreed(place):
    finding = peer(place, server_of(place))

    assert finding.level is Level.GOOD
    assert f": {SERVER}, X25519MLKEM768, ecdsa_secp256r1_sha256, " in finding.message
    assert finding.message.endswith("it said nothing against us for a second")


def test_a_refusal_that_comes_after_the_handshake_is_waited_for(place):
    """A client learns of it only then: without waiting this peer would look well."""
    demanding = server_of(place, client_authentication=ClientAuthentication.REQUIRE)

    finding = peer(place, demanding, identities=[])

    assert finding.level is Level.FAILURE
    assert finding.message.endswith("it refuses us after the handshake (certificate_required)")
    assert "asks for a certificate that signs with mldsa65_ecdsa_p256, " in finding.hint


def test_our_identity_is_shown_and_may_be_refused(place):
    verdict = Verdict.reject(AlertDescription.ACCESS_DENIED, "not on the list")
    picky = server_of(
        place, client_authentication=ClientAuthentication.REQUIRE, judge=lambda chain: verdict
    )

    finding = peer(place, picky)

    assert "(access_denied)" in finding.message
    assert "allow" in finding.hint


def test_a_server_that_is_another_than_expected_is_refused_as_the_egress_would(place):
    finding = peer(place, server_of(place), expect=["spiffe://corp/other"])

    assert finding.level is Level.FAILURE
    assert finding.hint == f"add {SERVER} to expect, if this server is meant"


def test_a_server_that_nobody_vouches_for_is_refused(place):
    stranger = pki.root("ecdsa-p256", name="elsewhere").issue(uris=(SERVER,))

    finding = peer(place, lambda: Endpoint.server(stranger))

    assert "we refuse it" in finding.message


def test_under_cnsa2_a_server_that_the_egress_would_refuse_is_refused_here_too(place):
    """Its post-quantum group and its sound certificate are what the egress takes otherwise."""
    place.root = pki.root("mldsa87")
    place.write("root.crt", place.root.certificate_pem)
    place.identity("client", uris=(CLIENT,))
    group = (NamedGroup.SecP384r1MLKEM1024,)
    weak_suite = {"cipher_suites": (CipherSuite.TLS_AES_128_GCM_SHA256,), "groups": group}
    usual_group = {"groups": (NamedGroup.X25519MLKEM768,)}

    assert peer(place, server_of(place, groups=group), groups="cnsa2").level is Level.GOOD
    for lacks in (weak_suite, usual_group):
        finding = peer(place, server_of(place, **lacks), groups="cnsa2")
        assert finding.level is Level.FAILURE
        assert "TLS_AES_256_GCM_SHA384 and ML-DSA-87 only" in finding.hint


def test_what_is_demanded_of_a_server_s_signatures_is_tried_with_a_real_handshake(place):
    composite = pki.root("mldsa65-ecdsa-p256")
    place.write("root.crt", composite.certificate_pem + place.root.certificate_pem)
    standard, below = (
        place.root.issue(uris=(SERVER,), algorithm=algorithm)
        for algorithm in ("ecdsa-p256", "mldsa65-ecdsa-p256")
    )

    def tried(leaf):
        return peer(place, lambda: Endpoint.server(leaf), authentication="hybrid")

    served = tried(composite.issue(uris=(SERVER,)))
    assert (served.level, "mldsa65_ecdsa_p256" in served.message) == (Level.GOOD, True)
    refusing = tried(standard)
    assert "it refuses us (handshake_failure)" in refusing.message
    assert "pqproxy certs issue --algorithm mldsa65-ecdsa-p256" in refusing.hint
    # The root that signed it is believed here too, but not under this demand.
    assert "we refuse it: " in tried(below).message
    assert tried(below).level is Level.FAILURE


def test_a_classical_server_is_a_warning_where_the_policy_takes_it(place):
    classical = server_of(place, groups=(NamedGroup.x25519,))

    assert peer(place, classical, policy="prefer").level is Level.WARNING

    refused = peer(place, classical)
    assert refused.level is Level.FAILURE
    assert "X25519MLKEM768" in refused.hint


def test_a_server_without_a_word_of_alpn_is_a_warning(place):
    finding = peer(place, server_of(place), alpn=["h2"])

    assert finding.level is Level.WARNING
    assert "chose none of alpn" in finding.message


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"alpn_protocols": (TUNNEL,)}, ", through tunnels; "),
        ({}, ", without tunnels; "),
        ({"alpn_protocols": (b"h2",)}, ", without tunnels; "),  # at the second try
    ],
    ids=["sidecar", "ignores it", "refuses it"],
)
def test_whether_a_peer_takes_tunnels_is_said(place, config, said):
    finding = peer(place, server_of(place, **config))

    assert finding.level is Level.GOOD
    assert said in finding.message


def test_who_must_show_a_certificate_for_tunnels_only_is_served_without(place):
    """An egress without identities does the same."""
    asking = {
        "alpn_protocols": (TUNNEL,),
        "alpn_demand": AlpnDemand.NONE,
        "client_authentication": ClientAuthentication.REQUEST,
        "certificate_protocols": (TUNNEL,),
    }

    finding = peer(place, server_of(place, **asking), identities=[])

    assert finding.level is Level.GOOD
    assert ", without tunnels; " in finding.message


def test_a_server_without_tunnels_is_of_no_use_where_they_are_required(place):
    require = {"tunnel": {"mode": "require"}}

    finding = peer(place, server_of(place), **require)

    assert finding.level is Level.FAILURE
    assert ", without tunnels; " in finding.message
    good = peer(place, server_of(place, alpn_protocols=(TUNNEL,)), **require)
    assert good.level is Level.GOOD
    refusing = peer(place, server_of(place, alpn_protocols=(b"h2",)), **require)
    assert "it refuses us (no_application_protocol)" in refusing.message


def test_who_wants_no_tunnels_does_not_ask_for_them(place):
    strict = server_of(place, alpn_protocols=(TUNNEL,), alpn_demand=AlpnDemand.ALWAYS)

    finding = peer(place, strict, tunnel={"mode": "never"})

    assert "it refuses us (no_application_protocol)" in finding.message
    assert "compare tunnel.mode" in finding.hint


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (lambda c: c.recv(9999) and c.sendall(b"HTTP/1.1 400 x\r\n\r\n"), "speaks no TLS"),
        (lambda c: c.recv(9999), "drops the connection"),
    ],
)
def test_what_is_no_tls_server_says_what_to_look_at(place, behaviour, said):
    with serving(behaviour) as plain:
        (finding,) = found(place.subject("egress", connect=[plain.forward]))

    assert finding.level is Level.FAILURE
    assert said in finding.hint


def test_nobody_there_is_a_failure(place, free_port):
    (finding,) = found(place.subject("egress", connect=[f"127.0.0.1:{free_port}"]))

    assert finding.level is Level.FAILURE
    assert "connection refused" in finding.message


def test_without_roots_to_believe_nobody_is_asked(place):
    place.write("root.crt", place.root.issue().certificate_pem)

    (finding,) = found(place.subject("egress"))

    assert "was not tried" in finding.message


def test_an_identity_that_cannot_be_used_is_left_out(place):
    """The peer is asked all the same: one more thing is learnt."""
    place.identity("client", not_after=pki.PAST)

    assert peer(place, server_of(place)).level is Level.GOOD
