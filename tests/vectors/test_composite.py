"""Known answers for composite keys and signatures: what was written once is read for ever."""

import base64
import json

import pytest

from pqproxy.crypto import load_private_key
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.errors import InvalidHalves
from pqproxy.crypto.pkcs8 import encode_pkcs8, read_pkcs8
from pqproxy.crypto.spki import encode_public_key, read_public_key
from tests.support.providers import CHOICES, provider_or_skip
from tests.vectors import record_composite
from tests.vectors.record_composite import PATH

ANSWERS = json.loads(PATH.read_text())
MESSAGE, CONTEXT = (bytes.fromhex(ANSWERS[name]) for name in ("message", "context"))


@pytest.fixture(params=COMPOSITES, ids=lambda each: each.name)
def algorithm(request):
    return request.param


@pytest.fixture
def answer(algorithm):
    """(name of a value) -> its bytes."""
    found = ANSWERS[algorithm.name]

    def value(name):
        in_hex = name in ("private_key", "representative")
        return bytes.fromhex(found[name]) if in_hex else base64.b64decode(found[name])

    return value


def test_a_seed_is_one_key(algorithm, answer):
    """Deterministic: from the bytes on disk to those in a certificate, and back."""
    private_key = read_pkcs8(answer("private_key"))
    public_key = algorithm.read_public_key(answer("public_key"))

    assert private_key.algorithm is algorithm
    assert private_key.public_key() == public_key
    assert public_key.public_bytes_raw() == answer("public_key")
    assert encode_pkcs8(private_key) == answer("private_key")
    assert read_public_key(encode_public_key(public_key)) == public_key


def test_what_is_signed_is_what_the_draft_says(algorithm, answer):
    signature = provider_or_skip("openssl").signatures[algorithm.name]
    assert signature._representative(MESSAGE, CONTEXT) == answer("representative")


@pytest.mark.parametrize("choice", CHOICES)
def test_every_provider_verifies_what_was_signed_once(algorithm, answer, choice):
    signature = provider_or_skip(choice).signatures[algorithm.name]
    public_key = algorithm.read_public_key(answer("public_key"))

    signature.verify(public_key, answer("signature"), MESSAGE, CONTEXT)
    for message, context in ((MESSAGE + b"!", CONTEXT), (MESSAGE, b"")):
        with pytest.raises(InvalidHalves):
            signature.verify(public_key, answer("signature"), message, context)


def test_the_answers_are_what_their_origin_says(algorithm, answer):
    """The script, run again, makes the same of whatever is not random."""
    name = algorithm.name
    assert record_composite.private_key(name) == answer("private_key")
    assert record_composite.public_key(name) == answer("public_key")
    assert record_composite.representative(name, MESSAGE, CONTEXT) == answer("representative")


def test_an_ed25519_half_is_deterministic():
    answer = ANSWERS["MLDSA65-Ed25519-SHA512"]
    key = read_pkcs8(bytes.fromhex(answer["private_key"]))
    made = key.traditional.sign(bytes.fromhex(answer["representative"]))

    assert base64.b64decode(answer["signature"])[-64:] == made


def test_a_pem_file_is_read_as_its_der(algorithm, answer):
    body = base64.encodebytes(answer("private_key"))
    pem = b"-----BEGIN PRIVATE KEY-----\n" + body + b"-----END PRIVATE KEY-----\n"
    expected = algorithm.read_public_key(answer("public_key"))

    assert load_private_key(pem).public_key() == expected
