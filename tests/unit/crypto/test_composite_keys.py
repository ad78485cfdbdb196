from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.crypto import InvalidInput, PrivateKeyError, key_algorithm
from pqproxy.crypto.composite_keys import COMPOSITES


@pytest.fixture(params=COMPOSITES, ids=lambda each: each.name)
def algorithm(request):
    return request.param


def test_names_labels_and_identifiers():
    """As the draft's §6 has them; the names of keys are what people type."""
    assert [(each.key_algorithm, each.oid.dotted_string[-3:]) for each in COMPOSITES] == [
        ("mldsa65-ecdsa-p256", ".45"),
        ("mldsa87-ecdsa-p384", ".49"),
        ("mldsa65-ed25519", ".48"),
        ("mldsa44-ecdsa-p256", ".40"),
    ]
    assert COMPOSITES[0].label == b"COMPSIG-MLDSA65-ECDSA-P256-SHA512"
    assert [each.pre_hash for each in COMPOSITES] == ["sha512", "sha512", "sha512", "sha256"]


def test_keys_survive_being_written_and_read(algorithm):
    key = algorithm.generate()
    again = algorithm.read_private_key(key.private_bytes_raw())
    assert again.public_key() == key.public_key()
    assert algorithm.read_public_key(key.public_key().public_bytes_raw()) == key.public_key()
    assert key_algorithm(key) == key_algorithm(key.public_key()) == algorithm.key_algorithm


def test_every_prefix_of_a_key_is_refused(algorithm):
    key = algorithm.generate()
    private, public = key.private_bytes_raw(), key.public_key().public_bytes_raw()
    for length in range(len(private)):
        with pytest.raises(PrivateKeyError):
            algorithm.read_private_key(private[:length])
    for length in (*range(0, len(public), 97), len(public) - 1):
        with pytest.raises(InvalidInput):
            algorithm.read_public_key(public[:length])
    with pytest.raises(InvalidInput):
        algorithm.read_public_key(public + b"\0")
    with pytest.raises(PrivateKeyError):
        algorithm.read_private_key(private + b"\0")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_key_or_an_error(raw):
    for algorithm in COMPOSITES:
        with suppress(PrivateKeyError):
            algorithm.read_private_key(raw)


def test_a_private_key_shows_nothing_of_itself(algorithm):
    key = algorithm.generate()
    assert "PrivateKey(algorithm=" in repr(key)
    assert "object at" not in repr(key).split("algorithm=")[0]
    with pytest.raises(PrivateKeyError) as failure:
        algorithm.read_private_key(key.private_bytes_raw()[:-1])
    assert failure.value.__context__ is None, "no message of the library is shown beside ours"
