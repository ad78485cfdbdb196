"""One server, several certificates: which one a client gets, and with which scheme it is proven."""

import pytest

from pqproxy import tls
from pqproxy.tls import SignatureScheme
from tests.support import pki
from tests.support.hostile import GROUPS
from tests.support.loopback import Endpoint, pump

ALGORITHMS = {
    "mldsa87": SignatureScheme.mldsa87,
    "mldsa65": SignatureScheme.mldsa65,
    "ecdsa-p384": SignatureScheme.ecdsa_secp384r1_sha384,
    "ecdsa-p256": SignatureScheme.ecdsa_secp256r1_sha256,
    "rsa-2048": SignatureScheme.rsa_pss_rsae_sha256,
}
LEAVES = {
    algorithm: pki.root().issue(dns=("llm.test",), algorithm=algorithm, name=algorithm)
    for algorithm in ALGORITHMS
}
EVERY_SCHEME = tls.ClientConfig(None).signature_schemes


def meets(schemes, order=tuple(LEAVES)):
    client = Endpoint.client(groups=GROUPS, signature_schemes=tuple(schemes))
    server = Endpoint.server(*(LEAVES[algorithm] for algorithm in order), groups=GROUPS)
    pump(client, server)
    return client, server


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_client_that_knows_one_kind_of_key_gets_a_certificate_of_that_kind(algorithm):
    client, server = meets([ALGORITHMS[algorithm]])

    assert client.negotiated.peer_chain == LEAVES[algorithm].chain_der
    assert client.negotiated.peer_signature_scheme == ALGORITHMS[algorithm]
    assert server.negotiated.signature_scheme == ALGORITHMS[algorithm]


@pytest.mark.parametrize("first", ALGORITHMS)
def test_a_client_that_knows_all_gets_the_first_of_the_server(first):
    order = (first, *(a for a in ALGORITHMS if a != first))
    client, _server = meets(EVERY_SCHEME, order)

    assert client.negotiated.peer_chain == LEAVES[first].chain_der


@pytest.mark.parametrize(
    ("offered", "proven"),
    [
        ((0x0805, 0x0804), SignatureScheme.rsa_pss_rsae_sha384),
        ((0x0401, 0x0804, 0x0805), SignatureScheme.rsa_pss_rsae_sha256),
    ],
)
def test_of_several_schemes_for_one_key_the_client_s_order_decides(offered, proven):
    """rsa_pkcs1 may stand in the list; it never proves a handshake (§4.3.3)."""
    client, _server = meets(offered)

    assert client.negotiated.peer_signature_scheme == proven


@pytest.mark.parametrize("schemes", [(0x0807,), (0x0401, 0x0501), (0x0904,), (0x0806, 0x0603)])
def test_a_client_that_knows_none_is_a_handshake_failure(schemes):
    client = Endpoint.client(groups=GROUPS, signature_schemes=schemes)
    server = Endpoint.server(*LEAVES.values(), groups=GROUPS)
    pump(client, server)

    assert server.failure.alert == tls.AlertDescription.HANDSHAKE_FAILURE
    assert client.failure.by_peer


def test_a_client_chooses_its_own_certificate_by_the_request():
    client = Endpoint.client(*LEAVES.values(), groups=GROUPS)
    server = Endpoint.server(
        LEAVES["ecdsa-p256"],
        groups=GROUPS,
        client_authentication=tls.ClientAuthentication.REQUIRE,
        signature_schemes=(SignatureScheme.mldsa65, SignatureScheme.ecdsa_secp256r1_sha256),
    )
    pump(client, server)

    assert server.negotiated.peer_chain == LEAVES["mldsa65"].chain_der
    assert server.negotiated.peer_signature_scheme == SignatureScheme.mldsa65
