"""An ML-DSA key without its seed, in both roles, before OpenSSL 4."""

import pytest

from pqproxy.crypto.keys import load_private_key
from pqproxy.tls import ClientAuthentication
from tests.interop.matrix import SERVER_NAME, assert_both_ways, client_leaf, server_leaf
from tests.support import pki
from tests.support.loopback import Endpoint, pump
from tests.support.ml_dsa_forms import expanded_pem
from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.providers import is_available, provider_or_skip

# Without liboqs it is not the peer that is missing.
PEER = [pytest.mark.peer("openssl")] if is_available("liboqs") else []
pytestmark = [pytest.mark.interop, *PEER]

each_parameter_set = pytest.mark.parametrize("algorithm", ["mldsa44", "mldsa65", "mldsa87"])


class WithExpandedKey:
    """A leaf as `pki` makes it, with its key as liboqs takes it."""

    def __init__(self, leaf):
        provider_or_skip("liboqs")
        self.chain_der, self.key_algorithm = leaf.chain_der, leaf.key_algorithm
        self.key = load_private_key(expanded_pem(leaf.key), certified=[leaf.key.public_key()])


@each_parameter_set
def test_our_server_serves_openssl(algorithm):
    server = Endpoint.server(WithExpandedKey(server_leaf(algorithm)))
    client = OpenSslEndpoint.client(trust=pki.root(algorithm))

    pump(client, server)

    assert client.error is None
    assert server.negotiated.signature_name == algorithm
    assert_both_ways(client, server, size=20_000)


@each_parameter_set
def test_our_client_shows_its_certificate_to_openssl(algorithm):
    leaf = client_leaf(algorithm)
    server = OpenSslEndpoint.server(leaf=server_leaf(), trust=pki.root(algorithm))
    client = Endpoint.client(WithExpandedKey(leaf), server_name=SERVER_NAME)

    pump(client, server)

    assert server.error is None
    assert client.negotiated.signature_name == algorithm
    assert_both_ways(client, server, size=20_000)


def test_ours_knows_ours():
    server = Endpoint.server(
        WithExpandedKey(server_leaf("mldsa65")),
        client_authentication=ClientAuthentication.REQUIRE,
    )
    client = Endpoint.client(WithExpandedKey(client_leaf("mldsa87")), server_name=SERVER_NAME)

    pump(client, server)

    assert server.negotiated.peer_signature_name == "mldsa87"
    assert_both_ways(client, server, size=20_000)
