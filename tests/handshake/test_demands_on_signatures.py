"""What the engine agrees on under each demand: every kind of key on either side, judged by nobody.

Offers alone must do it here; in a sidecar the judge looks again.
"""

import pytest

from pqproxy.config.values import Ingress, PeerAuthentication, TcpAddress
from pqproxy.proxy.engine_settings import algorithms
from pqproxy.tls import ClientAuthentication
from tests.support import pki
from tests.support.loopback import Endpoint, pump

ADDRESS = TcpAddress("127.0.0.1", 0)
KINDS = {
    "mldsa65-ecdsa-p256": "mldsa65_ecdsa_p256",
    "mldsa87-ecdsa-p384": "mldsa87_ecdsa_p384",
    "mldsa65-ed25519": "mldsa65_ed25519",
    "mldsa44-ecdsa-p256": "mldsa44_ecdsa_p256",
    "mldsa65": "mldsa65",
    "ecdsa-p256": "ecdsa_secp256r1_sha256",
    "rsa-2048": "rsa_pss_rsae_sha256",
}
COMPOSITE = set(KINDS) - {"mldsa65", "ecdsa-p256", "rsa-2048"}
TAKEN = {
    PeerAuthentication.HYBRID: COMPOSITE,
    PeerAuthentication.POST_QUANTUM: COMPOSITE | {"mldsa65"},
    PeerAuthentication.ANY: set(KINDS),
}

# Asked for too, and of no kind of key above.
ML_DSA = {PeerAuthentication.HYBRID: set(), PeerAuthentication.POST_QUANTUM: {"mldsa87", "mldsa44"}}

each_kind = pytest.mark.parametrize("kind", KINDS)
each_demand = pytest.mark.parametrize("demand", TAKEN)


def offered(demand, code_points=()):
    settings = {"authentication": demand, "code_points": code_points}
    left = algorithms(Ingress("llm", ADDRESS, ADDRESS, ("own",), None, **settings))
    return {
        "schemes": left.schemes,
        "signature_schemes": left.signature_schemes,
        "chain_signature_schemes": left.chain_signature_schemes,
    }


def leaf(kind):
    return pki.root(kind).issue(name=kind)


@each_kind
@each_demand
def test_a_server_proves_itself_as_demanded_or_not_at_all(demand, kind):
    server, client = Endpoint.server(leaf(kind)), Endpoint.client(**offered(demand))
    pump(client, server)

    if kind in TAKEN[demand]:
        assert client.negotiated.peer_signature_name == KINDS[kind]
        return
    assert (client.handshake_complete, server.handshake_complete) == (False, False)
    assert server.failure.weak_authentication
    assert client.failure.alert_name == "handshake_failure"


@each_kind
@each_demand
def test_a_client_proves_itself_as_demanded_or_not_at_all(demand, kind):
    asking = {"client_authentication": ClientAuthentication.REQUIRE, **offered(demand)}
    server, client = Endpoint.server(leaf("ecdsa-p256"), **asking), Endpoint.client(leaf(kind))
    pump(client, server)

    if kind in TAKEN[demand]:
        assert server.negotiated.peer_signature_name == KINDS[kind]
        return
    assert not server.handshake_complete
    assert server.failure.alert_name == "certificate_required"
    asked = server.failure.reason.partition("that signs with ")[2].split(", ")
    assert set(asked) == {KINDS[one] for one in TAKEN[demand]} | ML_DSA[demand]


@pytest.mark.parametrize("demand", TAKEN)
def test_of_several_certificates_a_server_shows_the_first_that_the_client_takes(demand):
    """Weakest first on purpose: the order is the operator's, the demand the client's."""
    own = [leaf(kind) for kind in ("rsa-2048", "ecdsa-p256", "mldsa65", "mldsa65-ecdsa-p256")]
    server, client = Endpoint.server(*own), Endpoint.client(**offered(demand))
    pump(client, server)

    first = next(one for one in own if one.algorithm in TAKEN[demand])
    assert client.negotiated.peer_signature_name == KINDS[first.algorithm]


def test_traded_numbers_are_understood_by_who_traded_them_and_refused_by_who_did_not():
    """One side's name for a scheme is the other's for another: no key fits what it would mean."""
    traded = (("mldsa65-ecdsa-p256", 0xFE48), ("mldsa65-ed25519", 0xFE45))
    hybrid = PeerAuthentication.HYBRID
    own = leaf("mldsa65-ecdsa-p256")

    for others, agree in ((traded, True), ((), False)):
        server = Endpoint.server(own, schemes=offered(hybrid, traded)["schemes"])
        client = Endpoint.client(**offered(hybrid, others))
        pump(client, server)

        assert client.handshake_complete is agree
        if agree:
            assert client.negotiated.peer_signature_name == "mldsa65_ecdsa_p256"
        else:
            assert client.failure.alert_name == "illegal_parameter"
            assert "with a key of type mldsa65-ecdsa-p256" in client.failure.reason
            assert "does 0xfe48, of private use, mean the same" in client.failure.reason
