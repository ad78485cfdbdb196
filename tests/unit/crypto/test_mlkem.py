import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.crypto import InvalidInput
from pqproxy.crypto.mlkem import ML_KEM_768, ML_KEM_1024, PARAMETER_SETS, MlKem

Q = 3329
RHO = bytes(32)


def key_of(coefficients):
    """Pack 12-bit coefficients two into three bytes, as FIPS 203 does (ByteEncode12)."""
    packed = bytearray()
    for first, second in zip(coefficients[::2], coefficients[1::2], strict=True):
        packed += bytes([first & 0xFF, first >> 8 | (second & 0xF) << 4, second >> 4])
    return bytes(packed) + RHO


@pytest.mark.parametrize(
    ("parameters", "encapsulation_key", "ciphertext"),
    [(ML_KEM_768, 1184, 1088), (ML_KEM_1024, 1568, 1568)],
)
def test_lengths_are_those_of_fips_203_table_3(parameters, encapsulation_key, ciphertext):
    kem = MlKem(parameters)

    assert kem.encapsulation_key_length == encapsulation_key
    assert kem.ciphertext_length == ciphertext


@pytest.mark.parametrize("parameters", PARAMETER_SETS, ids=lambda each: each.name)
@pytest.mark.parametrize("where", ["first", "second", "middle", "last"])
def test_the_modulus_check_accepts_q_minus_one_and_refuses_q(parameters, where):
    count = 256 * parameters.k
    position = {"first": 0, "second": 1, "middle": count // 2, "last": count - 1}[where]
    coefficients = [Q - 1] * count
    parameters.check_modulus(key_of(coefficients))
    coefficients[position] = Q

    with pytest.raises(InvalidInput, match="coefficient"):
        parameters.check_modulus(key_of(coefficients))


@given(st.dictionaries(st.integers(0, 767), st.integers(0, 4095), max_size=20))
def test_the_modulus_check_says_what_a_plain_loop_says(changes):
    """It compares many coefficients in one addition; no carry may leak into a neighbour."""
    coefficients = [0] * 768
    for position, value in changes.items():
        coefficients[position] = value

    if max(coefficients) < Q:
        ML_KEM_768.check_modulus(key_of(coefficients))
    else:
        with pytest.raises(InvalidInput):
            ML_KEM_768.check_modulus(key_of(coefficients))


def test_the_seed_of_the_matrix_may_hold_any_bytes():
    ML_KEM_768.check_modulus(bytes(1152) + b"\xff" * 32)


@pytest.mark.parametrize("size", ["768", "1024"])
def test_both_ends_of_every_provider_share_one_secret(provider, size):
    kem = provider.kems[f"ML-KEM-{size}"]
    key = kem.generate(os.urandom(64))

    made = kem.encapsulate(key.encapsulation_key)

    assert key.decapsulate(made.ciphertext) == made.shared_secret
    assert len(made.shared_secret) == 32


@pytest.mark.parametrize("size", ["768", "1024"])
def test_two_encapsulations_to_one_key_share_nothing(provider, size):
    kem = provider.kems[f"ML-KEM-{size}"]
    public = kem.generate(os.urandom(64)).encapsulation_key

    one, other = kem.encapsulate(public), kem.encapsulate(public)

    assert one.ciphertext != other.ciphertext
    assert one.shared_secret != other.shared_secret


@pytest.mark.parametrize("size", ["768", "1024"])
def test_a_forged_ciphertext_gives_a_stable_secret_that_depends_on_the_seed(provider, size):
    """Implicit rejection (FIPS 203 §6.3): no oracle, the handshake dies at Finished."""
    kem = provider.kems[f"ML-KEM-{size}"]
    seed = os.urandom(64)
    forged = os.urandom(kem.ciphertext_length)

    secret = kem.generate(seed).decapsulate(forged)

    assert kem.generate(seed).decapsulate(forged) == secret
    assert kem.generate(os.urandom(64)).decapsulate(forged) != secret


@pytest.mark.parametrize("wrong_by", [-1, 1])
@pytest.mark.parametrize("size", ["768", "1024"])
@pytest.mark.parametrize("what", ["seed", "encapsulation key", "ciphertext"])
def test_one_byte_too_few_or_too_many_is_refused(provider, size, what, wrong_by):
    """Padding a short key with zeros, as one library does, would accept a truncated share."""
    kem = provider.kems[f"ML-KEM-{size}"]
    key = kem.generate(bytes(64))
    refuse, right = {
        "seed": (kem.generate, bytes(64)),
        "encapsulation key": (kem.encapsulate, key.encapsulation_key),
        "ciphertext": (key.decapsulate, bytes(kem.ciphertext_length)),
    }[what]
    wrong = right[:-1] if wrong_by < 0 else right + b"\0"

    refuse(right)
    with pytest.raises(InvalidInput) as refusal:
        refuse(wrong)

    assert str(refusal.value) == (
        f"ML-KEM-{size} {what} has {len(wrong)} bytes, must have {len(right)}"
    )


@pytest.mark.parametrize("kind", [bytearray, memoryview])
@pytest.mark.parametrize("size", ["768", "1024"])
def test_shares_may_be_views_into_a_receive_buffer(provider, size, kind):
    kem = provider.kems[f"ML-KEM-{size}"]
    key = kem.generate(kind(bytes(64)))

    made = kem.encapsulate(kind(key.encapsulation_key))

    assert key.decapsulate(kind(made.ciphertext)) == made.shared_secret


def test_a_decapsulation_key_does_not_show_its_secret(provider):
    seed = bytes(range(64))
    for kem in provider.kems.values():
        shown = repr(kem.generate(seed))

        assert "secret" not in shown
        assert repr(seed[32:])[2:-1] not in shown  # z is the last part of an expanded key
