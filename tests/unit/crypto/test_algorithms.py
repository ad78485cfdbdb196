import dataclasses

import pytest

from pqproxy.crypto import Encapsulation
from tests.support.providers import provider_or_skip

SECRET = b"a secret that must not be shown"


def test_an_encapsulation_does_not_show_its_secret():
    shown = repr(Encapsulation(ciphertext=b"ciphertext", shared_secret=SECRET))

    assert "ciphertext" in shown
    assert "secret" not in shown


def test_encapsulations_are_not_compared_by_their_secrets():
    """`==` on bytes stops at the first difference, which tells time about the secret."""
    one, same = Encapsulation(b"c", SECRET), Encapsulation(b"c", SECRET)

    assert one != same


def test_a_provider_cannot_be_changed():
    """Every connection of a process shares it."""
    provider = provider_or_skip("openssl")

    with pytest.raises(dataclasses.FrozenInstanceError):
        provider.name = "other"
    with pytest.raises(TypeError):
        provider.kems["ML-KEM-768"] = None
    with pytest.raises(TypeError):
        provider.signatures["ML-DSA-65"] = None
