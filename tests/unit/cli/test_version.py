import platform

import pytest

from pqproxy import crypto
from pqproxy.cli.version import report
from pqproxy.version import VERSION


def lines():
    return dict(line.split(" ", 1) for line in report().splitlines())


def test_it_names_everything_that_decides_a_handshake():
    assert lines()["pqproxy"] == VERSION
    assert lines()["Python"] == platform.python_version()
    assert lines()["OpenSSL"] in crypto.openssl_version()
    assert "X25519MLKEM768" in lines()["groups"]
    assert "X25519MLKEM1024" not in lines()["groups"]
    assert "groups: X25519MLKEM1024 too (private use" in report()


@pytest.mark.parametrize(
    ("version", "said"),
    [(None, "not found: no library"), ("0.1", "0.1, unusable: no library")],
)
def test_without_liboqs_it_says_why(monkeypatch, version, said):
    def unavailable(choice):
        raise crypto.ProviderUnavailable("no library")

    monkeypatch.setattr(crypto, "load_provider", unavailable)
    monkeypatch.setattr(crypto, "liboqs_version", lambda: version)

    assert lines()["liboqs"] == said


def test_with_liboqs_it_says_which(monkeypatch):
    monkeypatch.setattr(crypto, "load_provider", lambda choice: None)
    monkeypatch.setattr(crypto, "liboqs_version", lambda: "0.16.0")

    assert lines()["liboqs"] == "0.16.0"
