"""tlslite-ng: a stack written from the standards in Python, sharing no line with the others.

Its ML-KEM is its own too. It is the only peer that speaks record_size_limit, and it updates keys
under a hybrid group. Its AES takes 4 ms a kilobyte, hence the small messages.
"""

import os
import socket
import threading
import warnings

import pytest

from tests.interop.matrix import (
    HYBRID,
    SERVER_NAME,
    SIGNATURES,
    code_points,
    each_group,
    server_leaf,
)
from tests.support.loopback import Endpoint
from tests.support.sockets import DEADLINE, Server, drive

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # its import touches asyncore, deprecated in Python 3.11
    from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey

pytestmark = [pytest.mark.interop, pytest.mark.peer("tlslite")]

each_classical_certificate = pytest.mark.parametrize(
    "algorithm", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"]
)
MESSAGE = os.urandom(2000)


def settings(*groups, shared=None, record_size_limit=1 << 14):
    """TLS 1.3 with these groups, a share for `shared` or the first."""
    wanted = HandshakeSettings()
    wanted.minVersion = wanted.maxVersion = (3, 4)
    wanted.eccCurves = [name.lower() for name in groups]
    wanted.dhGroups = []
    wanted.keyShares = [shared or groups[0].lower()]
    wanted.rsaSigHashes = ["sha256"]
    wanted.cipherNames = ["aes256gcm", "aes128gcm"]
    wanted.record_size_limit = record_size_limit
    return wanted


def connect(port, wanted):
    sock = socket.create_connection(("127.0.0.1", port), timeout=DEADLINE)
    client = TLSConnection(sock)
    client.handshakeClientCert(settings=wanted, serverName=SERVER_NAME)
    return client


def echo_of(client, message=MESSAGE):
    client.write(message)
    return bytes(client.read(min=len(message), max=len(message)))


class TlsliteServer:
    """A tlslite-ng server at the far end of a socket pair; it echoes MESSAGE."""

    def __init__(self, leaf, wanted):
        self.sock, far = socket.socketpair()
        far.settimeout(DEADLINE)
        self._connection = TLSConnection(far)
        self._far = far
        self._leaf, self._wanted = leaf, wanted
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self.error = None

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.sock.close()
        self._thread.join(DEADLINE)
        self._far.close()

    def _serve(self):
        chain = X509CertChain()
        chain.parsePemList(self._leaf.certificate_pem.decode())
        key = parsePEMKey(self._leaf.key_pem.decode(), private=True)
        try:
            self._connection.handshakeServer(certChain=chain, privateKey=key, settings=self._wanted)
            self._connection.write(self._connection.read(min=len(MESSAGE), max=len(MESSAGE)))
        except Exception as error:
            self.error = error


@each_group
@each_classical_certificate
def test_our_server_serves_tlslite(group, algorithm):
    def make_endpoint():
        return Endpoint.server(server_leaf(algorithm), groups=code_points(group))

    with Server(make_endpoint) as server:
        client = connect(server.port, settings(group))
        assert echo_of(client) == MESSAGE
        client.close()

    negotiated = server.endpoints[0].negotiated
    assert negotiated.group_name == group
    assert negotiated.signature_name == SIGNATURES[algorithm]
    assert negotiated.server_name == SERVER_NAME


@each_group
@each_classical_certificate
def test_our_client_is_served_by_tlslite(group, algorithm):
    leaf = server_leaf(algorithm)
    client = Endpoint.client(groups=code_points(group), server_name=SERVER_NAME)

    with TlsliteServer(leaf, settings(group)) as server:
        exchange(client, server)

    assert server.error is None
    assert client.negotiated.group_name == group
    assert client.negotiated.peer_signature_name == SIGNATURES[algorithm]
    assert client.negotiated.peer_chain == leaf.chain_der


def exchange(client, server, message=MESSAGE):
    drive(client, server.sock, until=lambda: client.handshake_complete)
    client.send(message)
    drive(client, server.sock, until=lambda: len(client.received) >= len(message))
    assert client.received == message


@pytest.mark.parametrize("group", HYBRID)
def test_our_server_asks_tlslite_again_for_a_hybrid_share(group):
    def make_endpoint():
        return Endpoint.server(server_leaf(), groups=code_points(group))

    with Server(make_endpoint) as server:
        client = connect(server.port, settings(group, "x25519", shared="x25519"))
        assert echo_of(client) == MESSAGE
        client.close()

    assert server.endpoints[0].negotiated.hello_retry


def test_our_client_is_asked_again_by_tlslite():
    client = Endpoint.client()

    with TlsliteServer(server_leaf(), settings("SecP384r1MLKEM1024")) as server:
        exchange(client, server)

    assert client.negotiated.hello_retry


def test_our_server_keeps_to_the_record_size_of_tlslite():
    """record_size_limit counts the content type too: 512 leaves 511 bytes of data (RFC 8449)."""
    with Server(lambda: Endpoint.server(server_leaf())) as server:
        client = connect(server.port, settings("X25519MLKEM768", record_size_limit=512))
        assert echo_of(client) == MESSAGE
        client.close()

    assert server.endpoints[0].connection.max_fragment == 511


def test_our_client_keeps_to_the_record_size_of_tlslite():
    client = Endpoint.client()

    with TlsliteServer(server_leaf(), settings("X25519MLKEM768", record_size_limit=512)) as server:
        exchange(client, server)

    assert client.connection.max_fragment == 511


def test_tlslite_updates_its_key_and_asks_for_ours():
    """Under a hybrid group: the next keys follow from the hybrid secret."""
    with Server(lambda: Endpoint.server(server_leaf())) as server:
        client = connect(server.port, settings("X25519MLKEM768"))
        for update_requested in (0, 1, 1):
            for _ in client.send_keyupdate_request(update_requested):
                pass
            assert echo_of(client) == MESSAGE
        client.close()

    assert server.endpoints[0].failure is None
