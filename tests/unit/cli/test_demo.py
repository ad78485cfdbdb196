import argparse

import pytest

from pqproxy.cli.demo import run, upstream_address
from pqproxy.cli.errors import CommandError


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/v1", "127.0.0.1:8000"),
        ("http://localhost:11434/v1/", "localhost:11434"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://127.0.0.1", "127.0.0.1:80"),
    ],
)
def test_a_server_on_this_machine_is_taken(url, address):
    assert upstream_address(url) == address


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://10.0.0.7:8000", "is not on this machine"),
        ("http://model.example:8000", "is not on this machine"),
        ("https://127.0.0.1:8000", "is not the URL of a plaintext server"),
        ("127.0.0.1:8000", "is not the URL of a plaintext server"),
        ("http://127.0.0.1:8000/api", "looked for under /v1"),
        ("http://127.0.0.1:99999", "ort"),
        ("http://", "is not the URL of a plaintext server"),
    ],
)
def test_anything_else_is_refused_with_a_hint(url, reason):
    """What leaves the sidecar in front of the server is plaintext: no wire may carry it."""
    with pytest.raises(CommandError, match=reason) as refusal:
        upstream_address(url)

    assert "http://127.0.0.1:8000" in refusal.value.hint
    assert refusal.value.exit_code == 2


def test_an_upstream_that_is_refused_starts_nothing():
    with pytest.raises(CommandError, match="not on this machine"):
        run(argparse.Namespace(upstream="http://192.0.2.1:8000"))
