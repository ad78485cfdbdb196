"""The engine as `groups: cnsa2` sets it, with OpenSSL servers and clients that fit and that do not.

Either side ends the handshake: nothing weaker is ever agreed on.
"""

import pytest

from pqproxy.config.values import Ingress, Profile, TcpAddress
from pqproxy.proxy.engine_settings import algorithms
from tests.interop.matrix import assert_both_ways, client_leaf, code_points, server_leaf
from tests.support import pki
from tests.support.loopback import Endpoint, pump
from tests.support.openssl_peer import OpenSslEndpoint

pytestmark = [pytest.mark.interop, pytest.mark.peer("openssl")]

GROUP = "SecP384r1MLKEM1024"
ADDRESS = TcpAddress("127.0.0.1", 0)
OFFERED = algorithms(Ingress("llm", ADDRESS, ADDRESS, ("own",), None, profile=Profile.CNSA2))
STRICT = {
    "groups": code_points(GROUP),
    "cipher_suites": OFFERED.cipher_suites,
    "signature_schemes": OFFERED.signature_schemes,
    "chain_signature_schemes": OFFERED.chain_signature_schemes,
}
FITS = {
    "leaf": server_leaf("mldsa87"),
    "groups": (GROUP,),
    "cipher_suites": b"TLS_AES_256_GCM_SHA384",
}


def test_a_server_that_fits_is_spoken_to_with_certificates_on_both_sides():
    server = OpenSslEndpoint.server(**FITS, trust=pki.root("mldsa87"))
    client = Endpoint.client(client_leaf("mldsa87"), **STRICT)

    pump(client, server)

    assert client.negotiated.cipher_suite.name == "TLS_AES_256_GCM_SHA384"
    assert client.negotiated.signature_name == client.negotiated.peer_signature_name == "mldsa87"
    assert client.negotiated.group_name == server.group == GROUP
    assert_both_ways(client, server, size=1000)


@pytest.mark.parametrize(
    "lacks",
    [
        {"groups": ("X25519MLKEM768",)},
        {"groups": ("P-384",)},
        {"cipher_suites": b"TLS_AES_128_GCM_SHA256"},
        {"leaf": server_leaf("ecdsa-p384")},
        {"leaf": server_leaf("mldsa65")},
    ],
    ids=["group", "classical group", "suite", "ecdsa", "smaller ML-DSA"],
)
def test_a_server_that_lacks_a_part_finds_nothing_in_common(lacks):
    server = OpenSslEndpoint.server(**{**FITS, **lacks})
    client = Endpoint.client(**STRICT)

    pump(client, server)

    assert client.failure.by_peer
    assert client.failure.alert_name == "handshake_failure"
    assert not client.handshake_complete


@pytest.mark.parametrize(
    ("lacks", "alert"),
    [
        ({"groups": ("X25519MLKEM768",)}, "insufficient_security"),
        ({"groups": ("P-384",)}, "insufficient_security"),
        ({"cipher_suites": b"TLS_AES_128_GCM_SHA256"}, "insufficient_security"),
        ({"cipher_suites": b"TLS_CHACHA20_POLY1305_SHA256"}, "handshake_failure"),
        ({"signature_algorithms": "ecdsa_secp384r1_sha384:mldsa65"}, "handshake_failure"),
    ],
    ids=["group", "classical group", "weak suite", "unknown suite", "signatures"],
)
def test_a_client_that_lacks_a_part_is_refused(lacks, alert):
    server = Endpoint.server(FITS["leaf"], **STRICT)
    client = OpenSslEndpoint.client(**{**FITS, "leaf": None, **lacks})

    pump(client, server)

    assert server.failure.alert_name == alert
    assert alert.replace("_", " ") in client.error
