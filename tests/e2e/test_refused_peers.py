"""A peer that we refuse while it is still sending reads our alert, and no reset before it."""

import socket
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509

from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.plain_server import echo

TRIES = 25
SLOW_TRIES = 5  # a client that this machine held up for longer than we wait for it proves nothing
PATIENCE = 0.9
BODY = bytes(3_000_000)

pytestmark = pytest.mark.peer("openssl")


def leaf(entry):
    """A certificate of the authority's directory as the OpenSSL peer wants it."""
    certificates = x509.load_pem_x509_certificates(Path(entry["certificate"]).read_bytes())
    return SimpleNamespace(certificates=certificates, key_pem=Path(entry["key"]).read_bytes())


def garbage(_client):
    """A record that nobody encrypted, and megabytes behind it."""
    return b"\x17\x03\x03\x40\x00" + BODY


def request(client):
    """A chat with its images, from a client that does not know yet that it is not wanted."""
    client.send(BODY)
    return client.take()


def told(address, certificate, after):
    """What OpenSSL has to say after a handshake and `after`; None where it took too long.

    Raises ConnectionError where a reset comes first.
    """
    client = OpenSslEndpoint.client(leaf=certificate)
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(client.take())
        while not client.handshake_complete:
            client.feed(connection.recv(1 << 16))
        begun = time.monotonic()
        try:
            connection.sendall(client.take() + after(client))
            while data := connection.recv(1 << 16):
                client.feed(data)
        except ConnectionError:
            if time.monotonic() - begun < PATIENCE:
                raise
            return None
    return client.error


@pytest.mark.parametrize(
    ("who", "after", "alert", "line"),
    [
        ("client", garbage, "bad record mac", "connection"),
        ("stranger", request, "access denied", "refused"),
    ],
    ids=["garbage after the handshake", "not allowed"],
)
def test_a_refused_peer_that_is_still_sending_reads_our_alert(standing, who, after, alert, line):
    """ECONNRESET would tell it nothing, and send its operator to look at the network."""
    certificate = leaf(standing.certificates.entry(who))
    with standing.serving(echo):
        heard = [told(standing.ingress.address, certificate, after) for _ in range(TRIES)]

        assert all(alert in said for said in heard if said is not None)
        assert heard.count(None) <= SLOW_TRIES
        assert len(standing.ingress.wait_for(line, TRIES)) == TRIES
