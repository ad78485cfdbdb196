"""curl_cffi: BoringSSL with the hellos of browsers, GREASE and all, towards our server."""

import os

import pytest
from curl_cffi import requests

from tests.interop.matrix import HYBRID, SIGNATURES, code_points, server_leaf
from tests.support import pki
from tests.support.loopback import Endpoint
from tests.support.sockets import Server, answer_http

pytestmark = [pytest.mark.interop, pytest.mark.peer("curl_cffi")]

BROWSERS = ("chrome", "firefox", "safari")
MEGABYTE = 1 << 20


def post(server, directory, algorithm, browser):
    """Post a megabyte; true when it came back as it was."""
    sent = os.urandom(MEGABYTE)
    answer = requests.post(
        f"https://localhost:{server.port}/",
        data=sent,
        impersonate=browser,
        verify=str(pki.root(algorithm).write(directory)),
        timeout=20,
    )
    return answer.content == sent


def serve(algorithm, *groups):
    def make_endpoint():
        return Endpoint.server(
            server_leaf(algorithm), groups=code_points(*groups), alpn_protocols=(b"http/1.1",)
        )

    return Server(make_endpoint, lambda: answer_http(b""))


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p384", "rsa-2048"])
@pytest.mark.parametrize("browser", BROWSERS)
def test_every_browser_posts_a_megabyte_over_a_hybrid_group(browser, algorithm, tmp_path):
    with serve(algorithm, *HYBRID) as server:
        assert post(server, tmp_path, algorithm, browser)

    negotiated = server.endpoints[0].negotiated
    assert negotiated.group_name == "X25519MLKEM768"
    assert negotiated.signature_name == SIGNATURES[algorithm]
    assert negotiated.alpn_protocol == b"http/1.1"
    assert negotiated.server_name == "localhost"


@pytest.mark.parametrize("algorithm", ["mldsa44", "mldsa65", "mldsa87"])
def test_a_new_chrome_takes_an_mldsa_certificate(algorithm, tmp_path):
    with serve(algorithm, *HYBRID) as server:
        assert post(server, tmp_path, algorithm, "chrome")

    assert server.endpoints[0].negotiated.signature_name == algorithm


@pytest.mark.parametrize("group", ["secp256r1", "secp384r1"])
def test_a_browser_is_asked_again_where_no_hybrid_group_is_allowed(group, tmp_path):
    """Browsers share X25519MLKEM768 and x25519 only."""
    with serve("ecdsa-p256", group) as server:
        assert post(server, tmp_path, "ecdsa-p256", "chrome")

    negotiated = server.endpoints[0].negotiated
    assert negotiated.group_name == group
    assert negotiated.hello_retry


def test_a_curl_without_hybrid_groups_is_refused(tmp_path):
    with (
        serve("ecdsa-p256", *HYBRID) as server,
        pytest.raises(requests.exceptions.RequestException),
    ):
        post(server, tmp_path, "ecdsa-p256", browser=None)

    assert server.endpoints[0].failure.alert_name == "insufficient_security"
