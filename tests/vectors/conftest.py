import pytest

from pqproxy.tls import signatures


@pytest.fixture
def any_rsa_key(monkeypatch):
    """The RSA certificates of the traces have 1024 bits, which we refuse otherwise."""
    known = signatures.key_algorithm

    def lenient(key):
        return "rsa" if known(key) == "unsupported" else known(key)

    monkeypatch.setattr(signatures, "key_algorithm", lenient)
    yield
    signatures.leaf_public_key.cache_clear()  # who comes next refuses them again
