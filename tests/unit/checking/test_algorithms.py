from types import SimpleNamespace

import pytest

from pqproxy.checking import algorithms
from pqproxy.checking.findings import Level
from pqproxy.crypto import CryptoError, ProviderUnavailable, load_provider
from tests.unit.checking.subjects import levels, only


def subject(provider="openssl"):
    return SimpleNamespace(settings=SimpleNamespace(provider=provider))


def found(choice="openssl"):
    return list(algorithms.check_algorithms(subject(choice)))


@pytest.fixture
def without_liboqs(monkeypatch):
    def load(choice="openssl"):
        if choice == "liboqs":
            raise ProviderUnavailable("no native library in /here, /there; install it")
        return load_provider(choice)

    monkeypatch.setattr(algorithms, "load_provider", load)


def test_the_default_provider_computes_right():
    assert set(levels(found()).values()) == {Level.GOOD}


def test_each_algorithm_says_who_computes_it():
    text = "\n".join(finding.message for finding in found())

    assert "ML-KEM-768 by openssl works" in text
    assert "ML-DSA-65" in text


@pytest.mark.usefixtures("without_liboqs")
def test_a_library_that_is_missing_is_no_matter_to_who_does_not_use_it():
    finding = only(found(), "provider")

    assert finding.level is Level.GOOD
    assert "no liboqs (no native library)" in finding.message


@pytest.mark.usefixtures("without_liboqs")
def test_auto_without_liboqs_says_so():
    """It works, slower than somebody hoped."""
    assert only(found("auto"), "liboqs").level is Level.WARNING


@pytest.mark.usefixtures("without_liboqs")
def test_a_provider_that_is_not_there_is_a_failure():
    assert only(found("liboqs"), "provider").level is Level.FAILURE


class Key:
    encapsulation_key = b"k"

    def decapsulate(self, ciphertext):
        return b"one"


class Kem:
    name, provider = "ML-KEM-768", "broken"

    def __init__(self, error=None):
        self.error = error

    def generate(self, seed):
        if self.error:
            raise self.error
        return Key()

    def encapsulate(self, key):
        return SimpleNamespace(ciphertext=b"c", shared_secret=b"other")


@pytest.mark.parametrize(
    ("error", "said"), [(CryptoError("it broke"), "it broke"), (None, "computes wrong")]
)
def test_a_library_that_computes_wrong_is_found(monkeypatch, error, said):
    """A build for another processor gives other secrets, not errors."""
    broken = SimpleNamespace(kems={"ML-KEM-768": Kem(error)}, signatures={})
    monkeypatch.setattr(algorithms, "load_provider", lambda choice: broken)

    finding = only(found(), "key-exchange")

    assert finding.level is Level.FAILURE
    assert said in finding.message
