"""What OpenSSL and we agree on or refuse: retries, suites, policy, names, protocols."""

import pytest
from OpenSSL import SSL

from pqproxy.tls import AlpnDemand, ClientAuthentication
from tests.interop.matrix import (
    HYBRID,
    SERVER_NAME,
    SIGNATURES,
    assert_both_ways,
    code_points,
    server_leaf,
)
from tests.support import pki
from tests.support.loopback import Endpoint, pump
from tests.support.openssl_peer import OpenSslEndpoint

OURS = b"pqproxy/1"

pytestmark = [pytest.mark.interop, pytest.mark.peer("openssl")]


@pytest.mark.parametrize("group", HYBRID)
def test_our_server_asks_openssl_again_for_a_hybrid_share(group):
    """The client would share x25519 only; a hybrid group is worth the round trip."""
    server = Endpoint.server(server_leaf(), groups=code_points(group))
    client = OpenSslEndpoint.client(trust=pki.root(), groups=("*x25519", group))

    pump(client, server)

    assert client.error is None
    assert server.negotiated.hello_retry
    assert client.group == group
    assert_both_ways(client, server, size=100)


@pytest.mark.parametrize("group", ["SecP256r1MLKEM768", "SecP384r1MLKEM1024", "x25519"])
def test_our_client_follows_the_retry_of_openssl(group):
    server = OpenSslEndpoint.server(leaf=server_leaf(), groups=(group,))
    client = Endpoint.client(groups=code_points("X25519MLKEM768", group))

    pump(client, server)

    assert server.error is None
    assert client.negotiated.hello_retry
    assert client.negotiated.group_name == server.group == group
    assert_both_ways(client, server, size=100)


@pytest.mark.parametrize("suite", ["TLS_AES_256_GCM_SHA384", "TLS_AES_128_GCM_SHA256"])
@pytest.mark.parametrize("retry", [False, True], ids=["at once", "after a retry"])
def test_both_suites_in_both_roles(suite, retry):
    """The suite decides the hash of the transcript, also of the one a retry rewrites."""
    shared = ("*x25519", "X25519MLKEM768") if retry else ("X25519MLKEM768",)
    client = OpenSslEndpoint.client(trust=pki.root(), groups=shared, cipher_suites=suite.encode())
    server = Endpoint.server(server_leaf())
    pump(client, server)
    assert server.negotiated.cipher_suite.name == suite
    assert_both_ways(client, server, size=100)

    groups = ("SecP384r1MLKEM1024",) if retry else ("X25519MLKEM768",)
    openssl = OpenSslEndpoint.server(
        leaf=server_leaf(), groups=groups, cipher_suites=suite.encode()
    )
    ours = Endpoint.client()
    pump(ours, openssl)
    assert ours.negotiated.cipher_suite.name == suite
    assert ours.negotiated.hello_retry is retry
    assert_both_ways(ours, openssl, size=100)


def test_a_client_without_post_quantum_groups_is_refused():
    server = Endpoint.server(server_leaf())
    client = OpenSslEndpoint.client(trust=pki.root(), groups=("x25519", "secp256r1"))

    pump(client, server)

    assert server.failure.alert_name == "insufficient_security"
    assert "insufficient security" in client.error


def test_a_client_of_tls_1_2_is_refused():
    server = Endpoint.server(server_leaf())
    client = OpenSslEndpoint.client(groups=("x25519",), maximum_version=SSL.TLS1_2_VERSION)

    pump(client, server)

    assert server.failure.alert_name == "protocol_version"
    assert "protocol version" in client.error


def test_the_server_picks_the_certificate_that_the_client_can_verify():
    """One listener, two identities: an old client gets ECDSA, a new one ML-DSA."""
    leaves = (server_leaf("mldsa65"), server_leaf("ecdsa-p256"))
    for offered, algorithm in (
        ("ecdsa_secp256r1_sha256", "ecdsa-p256"),
        ("mldsa65:ecdsa_secp256r1_sha256", "mldsa65"),
    ):
        server = Endpoint.server(*leaves)
        client = OpenSslEndpoint.client(trust=pki.root(algorithm), signature_algorithms=offered)
        pump(client, server)

        assert client.error is None
        assert server.negotiated.signature_name == SIGNATURES[algorithm]


def test_our_server_picks_the_protocol_and_sees_the_name():
    server = Endpoint.server(server_leaf(), alpn_protocols=(b"h2", b"http/1.1"))
    client = OpenSslEndpoint.client(
        trust=pki.root(), alpn=(b"http/1.1", b"h2"), server_name=SERVER_NAME
    )

    pump(client, server)

    assert client.connection.get_alpn_proto_negotiated() == b"h2"
    assert server.negotiated.alpn_protocol == b"h2"
    assert server.negotiated.server_name == SERVER_NAME


def test_openssl_picks_the_protocol_and_sees_the_name():
    server = OpenSslEndpoint.server(leaf=server_leaf(), alpn=(b"http/1.1",))
    client = Endpoint.client(alpn_protocols=(b"h2", b"http/1.1"), server_name=SERVER_NAME)

    pump(client, server)

    assert client.negotiated.alpn_protocol == b"http/1.1"
    assert server.connection.get_servername() == SERVER_NAME.encode()


def test_no_common_protocol_is_told_by_its_alert():
    server = Endpoint.server(server_leaf(), alpn_protocols=(b"pqproxy/1",))
    client = OpenSslEndpoint.client(trust=pki.root(), alpn=(b"h2",))

    pump(client, server)

    assert server.failure.alert_name == "no_application_protocol"
    assert "no application protocol" in client.error


@pytest.mark.parametrize("offered", [(b"h2",), None], ids=["h2", "nothing"])
@pytest.mark.parametrize(
    ("demand", "refused"), [(AlpnDemand.NONE, False), (AlpnDemand.ALWAYS, True)]
)
def test_a_sidecar_takes_a_standard_client_unless_it_wants_tunnels_only(offered, demand, refused):
    server = Endpoint.server(server_leaf(), alpn_protocols=(OURS,), alpn_demand=demand)
    client = OpenSslEndpoint.client(trust=pki.root(), **({"alpn": offered} if offered else {}))

    pump(client, server)

    if refused:
        assert server.failure.alert_name == "no_application_protocol"
        assert "no application protocol" in client.error
    else:
        assert client.error is None
        assert client.connection.get_alpn_proto_negotiated() == b""


def test_where_certificates_are_asked_for_a_tunnel_is_not_to_be_had_without():
    asking = {
        "alpn_protocols": (OURS,),
        "alpn_demand": AlpnDemand.NONE,
        "client_authentication": ClientAuthentication.REQUEST,
        "certificate_protocols": (OURS,),
    }
    for offered, refusal in ((OURS, "certificate_required"), (b"h2", None)):
        server = Endpoint.server(server_leaf(), **asking)
        client = OpenSslEndpoint.client(trust=pki.root(), alpn=(offered,))
        pump(client, server)

        assert (server.failure.alert_name if server.failure else None) == refusal


def test_who_wants_tunnels_only_refuses_a_server_that_knows_none():
    """An OpenSSL server without protocols of its own ignores the list, as many do."""
    server = OpenSslEndpoint.server(leaf=server_leaf())
    client = Endpoint.client(alpn_protocols=(OURS,), alpn_required=True)

    pump(client, server)

    assert client.failure.alert_name == "no_application_protocol"
    assert "no application protocol" in server.error
