import subprocess
import sys

import pytest

from pqproxy.crypto import ProviderUnavailable, load_provider
from pqproxy.crypto.providers import FASTER_BY_LIBOQS


def test_openssl_is_the_default():
    assert load_provider().name == "openssl"


def test_a_provider_is_called_as_it_was_chosen(provider, request):
    assert provider.name == request.node.callspec.params["provider"]


def test_every_provider_offers_the_same_algorithms(provider):
    """Which library is installed must not change what can be negotiated."""
    openssl = load_provider("openssl")

    assert list(provider.kems) == list(openssl.kems)
    assert list(provider.signatures) == list(openssl.signatures)
    for name, algorithm in provider.signatures.items():
        assert algorithm.key_algorithm == openssl.signatures[name].key_algorithm
    for name, kem in provider.kems.items():
        assert kem.encapsulation_key_length == openssl.kems[name].encapsulation_key_length
        assert kem.ciphertext_length == openssl.kems[name].ciphertext_length


def test_an_unknown_choice_is_refused_with_the_known_ones():
    with pytest.raises(ProviderUnavailable, match="no provider 'boring'; use openssl, liboqs or"):
        load_provider("boring")


def test_auto_takes_liboqs_where_the_table_says_it_is_faster(liboqs):
    auto = load_provider("auto")
    by_liboqs = {
        name
        for algorithms in (auto.kems, auto.signatures)
        for name, algorithm in algorithms.items()
        if algorithm.provider == "liboqs"
    }

    assert by_liboqs == FASTER_BY_LIBOQS


def test_auto_does_without_liboqs_where_there_is_none(monkeypatch):
    def unavailable():
        raise ProviderUnavailable("no native liboqs library")

    monkeypatch.setattr("pqproxy.crypto.providers.liboqs_provider", unavailable)

    auto = load_provider("auto")

    assert auto.name == "auto"
    assert {kem.provider for kem in auto.kems.values()} == {"openssl"}


def test_the_table_of_the_faster_names_only_algorithms_that_exist():
    openssl = load_provider("openssl")

    assert {*openssl.kems, *openssl.signatures} >= FASTER_BY_LIBOQS


def test_the_default_provider_does_not_import_liboqs():
    """A worker is small, and importing liboqs-python is never free of risk."""
    script = (
        "import sys; from pqproxy.crypto import load_provider; load_provider(); "
        "assert 'oqs' not in sys.modules"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
