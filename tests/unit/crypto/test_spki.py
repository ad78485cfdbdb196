from contextlib import suppress

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.crypto import InvalidInput
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.spki import encode_public_key, read_public_key

KEYS = {
    "ecdsa-p256": ec.generate_private_key(ec.SECP256R1()),
    "rsa": rsa.generate_private_key(65537, 2048),
    "mldsa65": mldsa.MLDSA65PrivateKey.generate(),
    **{each.key_algorithm: each.generate() for each in COMPOSITES},
}


@pytest.mark.parametrize("kind", KEYS)
def test_keys_survive_being_written_and_read(kind):
    public_key = KEYS[kind].public_key()
    assert read_public_key(encode_public_key(public_key)) == public_key


def test_composite_keys_with_parameters_or_odd_bits_are_refused():
    der = encode_public_key(KEYS["mldsa65-ecdsa-p256"].public_key())
    position = der.index(b"\x03\x82") + 4
    odd_bits = der[:position] + b"\x01" + der[position + 1 :]
    with pytest.raises(ValueError, match=r".*"):
        read_public_key(odd_bits)
    oid = der.index(b"\x06\x08")
    sequence = bytearray(der)
    with_null = bytes(sequence[: oid + 10]) + b"\x05\x00" + bytes(sequence[oid + 10 :])
    fixed = bytearray(with_null)
    fixed[oid - 1] += 2
    length = int.from_bytes(fixed[2:4]) + 2
    fixed[2:4] = length.to_bytes(2)
    with pytest.raises((UnsupportedAlgorithm, ValueError)):
        read_public_key(bytes(fixed))


@given(st.binary(max_size=300))
def test_any_bytes_are_a_key_or_an_expected_error(der):
    with suppress(InvalidInput, ValueError, UnsupportedAlgorithm):
        read_public_key(der)
