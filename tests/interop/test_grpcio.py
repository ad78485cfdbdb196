"""grpcio: HTTP/2 through our TLS, one unary and one streaming call, as client and as server."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import pytest

from pqproxy.tls import ClientAuthentication
from tests.interop.matrix import SIGNATURES, client_leaf, code_points, server_leaf
from tests.support import pki, relay
from tests.support.loopback import Endpoint

pytestmark = [pytest.mark.interop, pytest.mark.peer("grpcio")]

DEADLINE = 20  # seconds for one call
MESSAGES = [bytes([number]) * 100_000 for number in range(12)]  # over a megabyte each way

each_certificate = pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])


@contextmanager
def grpc_server(credentials=None):
    """An echo service of raw bytes; yields its port."""
    handlers = {
        "Unary": grpc.unary_unary_rpc_method_handler(lambda message, _: message),
        "Stream": grpc.stream_stream_rpc_method_handler(lambda messages, _: messages),
    }
    server = grpc.server(
        ThreadPoolExecutor(2), handlers=(grpc.method_handlers_generic_handler("Echo", handlers),)
    )
    if credentials:
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield port
    server.stop(grace=None).wait()


def assert_calls_pass(channel):
    unary = channel.unary_unary("/Echo/Unary")
    stream = channel.stream_stream("/Echo/Stream")

    assert unary(b"question", timeout=DEADLINE) == b"question"
    assert list(stream(iter(MESSAGES), timeout=DEADLINE)) == MESSAGES


@each_certificate
def test_a_grpc_client_calls_through_our_server(algorithm):
    root, leaf = pki.root(algorithm), client_leaf(algorithm)
    endpoints = []

    def make_endpoint():
        endpoint = Endpoint.server(
            server_leaf(algorithm),
            client_authentication=ClientAuthentication.REQUIRE,
            alpn_protocols=(b"h2",),
        )
        endpoints.append(endpoint)
        return endpoint

    credentials = grpc.ssl_channel_credentials(
        root.certificate_pem, leaf.key_pem, leaf.certificate_pem
    )
    with (
        grpc_server() as upstream,
        relay.ingress(make_endpoint, upstream) as ingress,
        grpc.secure_channel(f"localhost:{ingress.port}", credentials) as channel,
    ):
        assert_calls_pass(channel)

    (server,) = endpoints
    assert server.negotiated.group_name == "X25519MLKEM768"
    assert server.negotiated.alpn_protocol == b"h2"
    assert server.negotiated.peer_chain == leaf.chain_der
    assert server.negotiated.peer_signature_name == SIGNATURES[algorithm]


@each_certificate
@pytest.mark.parametrize("group", ["X25519MLKEM768", "x25519", "secp256r1"])
def test_our_client_calls_a_grpc_server(group, algorithm):
    root, leaf, own = pki.root(algorithm), server_leaf(algorithm), client_leaf(algorithm)
    endpoints = []

    def make_endpoint():
        endpoint = Endpoint.client(
            own,
            groups=code_points(group),
            server_name="localhost",
            alpn_protocols=(b"h2",),
        )
        endpoints.append(endpoint)
        return endpoint

    credentials = grpc.ssl_server_credentials(
        [(leaf.key_pem, leaf.certificate_pem)], root.certificate_pem, require_client_auth=True
    )
    with (
        grpc_server(credentials) as port,
        relay.egress(make_endpoint, port) as egress,
        grpc.insecure_channel(f"localhost:{egress.port}") as channel,
    ):
        assert_calls_pass(channel)

    (client,) = endpoints
    assert client.negotiated.group_name == group
    assert client.negotiated.alpn_protocol == b"h2"
    assert client.negotiated.peer_chain[0] == leaf.chain_der[0]
