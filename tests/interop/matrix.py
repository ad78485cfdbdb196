"""Each group with each kind of certificate, the names they go by, and what each pair must do."""

import os

import pytest

from pqproxy.tls import NamedGroup
from tests.support import pki
from tests.support.loopback import pump

HYBRID = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")
CLASSICAL = ("x25519", "secp256r1", "secp384r1")
GROUPS = HYBRID + CLASSICAL

# What a server signs with when it holds such a certificate.
SIGNATURES = {
    "ecdsa-p256": "ecdsa_secp256r1_sha256",
    "ecdsa-p384": "ecdsa_secp384r1_sha384",
    "rsa-2048": "rsa_pss_rsae_sha256",
    "mldsa44": "mldsa44",
    "mldsa65": "mldsa65",
    "mldsa87": "mldsa87",
}

SERVER_NAME = "llm.test"

each_group = pytest.mark.parametrize("group", GROUPS)
each_certificate = pytest.mark.parametrize("algorithm", pki.ALGORITHMS)


def code_points(*names):
    """Groups by name, as our configuration wants them."""
    return tuple(NamedGroup[name] for name in names)


def server_leaf(algorithm="ecdsa-p256"):
    return pki.root(algorithm).issue(dns=(SERVER_NAME, "localhost"), name="server")


def client_leaf(algorithm="ecdsa-p256"):
    return pki.root(algorithm).issue(uris=("spiffe://corp/ns/apps/sa/client",), name="client")


def assert_both_ways(client, server, size):
    """Send bytes both ways, then close one direction after the other."""
    question, answer = os.urandom(size), os.urandom(size)
    client.send(question)
    pump(client, server)
    client.close()
    pump(client, server)
    assert server.peer_closed

    server.send(answer)
    server.close()
    pump(client, server)

    assert server.received == question
    assert client.received == answer
    assert client.peer_closed
