"""A real browser, where the machine has one: its page over a hybrid group."""

import base64
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes, serialization

from tests.interop.matrix import server_leaf
from tests.support.loopback import Endpoint
from tests.support.peers import chromium_command
from tests.support.sockets import Server, answer_http

pytestmark = [pytest.mark.interop, pytest.mark.peer("chromium")]

PAGE = b"<!doctype html><title>page</title><p>reached the model server</p>"


def pin(certificate):
    """What makes a browser accept a certificate that no public authority signed."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(
        certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return base64.b64encode(digest.finalize()).decode()


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "rsa-2048"])
def test_a_browser_shows_a_page_over_a_hybrid_group(algorithm, tmp_path):
    leaf = server_leaf(algorithm)

    def make_endpoint():
        return Endpoint.server(leaf, alpn_protocols=(b"http/1.1",))

    with Server(make_endpoint, lambda: answer_http(PAGE, "text/html")) as server:
        shown = subprocess.run(
            [
                chromium_command(),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                f"--user-data-dir={tmp_path}",
                f"--ignore-certificate-errors-spki-list={pin(leaf.certificate)}",
                "--dump-dom",
                f"https://localhost:{server.port}/",
            ],
            capture_output=True,
            text=True,
            timeout=60,
        )

    assert "reached the model server" in shown.stdout, shown.stderr
    assert server.endpoints[0].negotiated.group_name == "X25519MLKEM768"
