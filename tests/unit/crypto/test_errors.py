"""No error may hold the bytes it speaks of: it ends up in a log."""

import base64
import traceback

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pqproxy.crypto import InvalidInput, InvalidSignature, PrivateKeyError, load_private_key
from tests.support import pki

MARK = b"SECRET-BYTES"


def shown(error):
    """All that a log could show of an exception, its causes included."""
    return "".join(traceback.format_exception(error, chain=True))


def assert_hides(error, data):
    text = shown(error)
    for encoded in (data.decode("latin1"), data.hex(), repr(bytes(data))[2:-1]):
        assert encoded not in text


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
@pytest.mark.parametrize("size", ["768", "1024"])
def test_refused_kem_input_is_not_in_the_error(provider, size, kind):
    """liboqs-python puts a whole bytearray into the message of a TypeError."""
    kem = provider.kems[f"ML-KEM-{size}"]
    key = kem.generate(bytes(64))
    overflowing = kind(MARK + b"\xff" * (kem.encapsulation_key_length - len(MARK)))

    for refuse in (kem.generate, kem.encapsulate, key.decapsulate):
        with pytest.raises(InvalidInput) as refusal:
            refuse(kind(MARK))
        assert_hides(refusal.value, MARK)
    with pytest.raises(InvalidInput) as refusal:
        kem.encapsulate(overflowing)
    assert_hides(refusal.value, MARK)


def test_a_refused_signature_is_not_in_the_error(provider):
    for algorithm in provider.signatures.values():
        public_key = key_for(algorithm).public_key()
        with pytest.raises(InvalidSignature) as refusal:
            algorithm.verify(public_key, MARK, MARK)
        assert_hides(refusal.value, MARK)


def key_for(algorithm):
    return pki.key("rsa-2048" if algorithm.key_algorithm == "rsa" else algorithm.key_algorithm)


@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "ecdsa-p521", "rsa-1024", "mldsa65"])
def test_a_damaged_private_key_is_not_in_the_error(algorithm):
    """Whatever byte of a key is broken, no other byte of it may reach the log."""
    der = pki.key(algorithm).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    refusals = []
    for position in range(min(len(der), 60)):
        damaged = bytearray(der)
        damaged[position] ^= 0xFF
        text = base64.encodebytes(damaged)
        pem = b"-----BEGIN PRIVATE KEY-----\n" + text + b"-----END PRIVATE KEY-----\n"
        try:
            load_private_key(pem)
        except PrivateKeyError as error:
            refusals.append((error, text))
    parts = [der[start : start + 8] for start in range(0, len(der) - 8, 8)]

    assert refusals
    for error, text in refusals:
        assert text.split(b"\n")[0].decode() not in shown(error)
        for part in parts:
            assert_hides(error, part)


@pytest.mark.parametrize(
    "pem",
    [
        b"-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nM\n-----END PRIVATE KEY-----\n",
        b"-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----\n",
    ],
)
def test_a_private_key_error_is_chained_to_no_other(pem):
    """A library's own message may quote what it could not read."""
    with pytest.raises(PrivateKeyError) as refusal:
        load_private_key(pem)

    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize("given", [None, b"wrong " + MARK])
def test_neither_an_encrypted_private_key_nor_its_passphrase_is_in_the_error(form, given):
    pem = pki.key("ecdsa-p256").private_bytes(
        Encoding.PEM, form, BestAvailableEncryption(b"a passphrase")
    )

    with pytest.raises(PrivateKeyError) as refusal:
        load_private_key(pem, passphrase=given)

    assert refusal.value.__context__ is None
    assert_hides(refusal.value, MARK)
    for line in pem.decode().splitlines()[1:-1]:
        assert not line or line not in shown(refusal.value)
