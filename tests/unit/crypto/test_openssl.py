import pytest

from pqproxy.crypto import InvalidInput, openssl_version
from pqproxy.crypto.openssl import openssl_provider


def test_every_algorithm_of_this_provider_is_computed_by_openssl():
    provider = openssl_provider()
    algorithms = [*provider.kems.values(), *provider.signatures.values()]

    assert {each.provider for each in algorithms} == {"openssl"}
    assert {each.signing_provider for each in provider.signatures.values()} == {"openssl"}


def test_algorithms_are_found_by_their_own_names():
    provider = openssl_provider()

    assert {name: kem.name for name, kem in provider.kems.items()} == {
        "ML-KEM-768": "ML-KEM-768",
        "ML-KEM-1024": "ML-KEM-1024",
    }
    assert all(name == each.name for name, each in provider.signatures.items())


@pytest.mark.parametrize("name", ["ML-KEM-768", "ML-KEM-1024"])
def test_a_key_that_fails_the_modulus_check_is_said_to_have_the_right_length(name):
    """The library's own message speaks of the length, which would send a reader astray."""
    kem = openssl_provider().kems[name]

    with pytest.raises(InvalidInput) as refusal:
        kem.encapsulate(b"\xff" * kem.encapsulation_key_length)

    assert str(refusal.value) == f"{name} encapsulation key has a coefficient not below 3329"


def test_the_version_names_the_library_inside_cryptography():
    assert openssl_version().startswith("OpenSSL ")
