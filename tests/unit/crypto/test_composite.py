import base64

import pytest
from cryptography import x509

from pqproxy.crypto import CryptoError, InvalidSignature, load_provider
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.errors import InvalidHalves
from pqproxy.crypto.pkcs8 import encode_pkcs8, read_pkcs8
from pqproxy.crypto.spki import certificate_key
from tests.support.vectors import load_vectors

SIGNATURES = load_provider().signatures
KEYS = {each.name: each.generate() for each in COMPOSITES}
MESSAGE, CONTEXT = b"a message", b"a context"


@pytest.fixture(params=COMPOSITES, ids=lambda each: each.name)
def algorithm(request):
    return request.param


@pytest.fixture
def vector(algorithm):
    """The draft's own case of an algorithm: (its message, its context, its values)."""
    vectors = load_vectors("composite-mldsa.json")
    (case,) = (each for each in vectors["tests"] if each["tcId"] == f"id-{algorithm.name}")
    values = {name: base64.b64decode(value) for name, value in case.items() if name != "tcId"}
    return base64.b64decode(vectors["m"]), base64.b64decode(vectors["ctx"]), values


def test_the_drafts_vectors(algorithm, vector):
    message, context, values = vector
    private_key = read_pkcs8(values["sk_pkcs8"])
    assert private_key.private_bytes_raw() == values["sk"]
    assert encode_pkcs8(private_key) == values["sk_pkcs8"]
    assert private_key.public_key().public_bytes_raw() == values["pk"]
    certificate = x509.load_der_x509_certificate(values["x5c"])
    public_key = certificate_key(certificate)
    assert public_key == private_key.public_key()

    signature = SIGNATURES[algorithm.name]
    signature.verify(public_key, values["s"], message)
    signature.verify(public_key, values["sWithContext"], message, context)
    signature.verify(public_key, certificate.signature, certificate.tbs_certificate_bytes)
    with pytest.raises(InvalidHalves):
        signature.verify(public_key, values["s"], message, context)


def test_what_is_signed_verifies_and_nothing_else_does(algorithm):
    signature, key = SIGNATURES[algorithm.name], KEYS[algorithm.name]
    public_key = key.public_key()
    made = signature.sign(key, MESSAGE, CONTEXT)

    signature.verify(public_key, made, MESSAGE, CONTEXT)
    for message, context in ((b"another", CONTEXT), (MESSAGE, b""), (MESSAGE + CONTEXT, b"")):
        with pytest.raises(InvalidHalves) as failure:
            signature.verify(public_key, made, message, context)
        assert not any(failure.value.halves.values())


@pytest.mark.parametrize(("position", "good"), [(0, "traditional"), (-1, "ml_dsa")])
def test_each_half_must_verify_and_the_bad_one_is_named(algorithm, position, good):
    signature, key = SIGNATURES[algorithm.name], KEYS[algorithm.name]
    made = bytearray(signature.sign(key, MESSAGE))
    made[position] ^= 1

    with pytest.raises(InvalidHalves) as failure:
        signature.verify(key.public_key(), bytes(made), MESSAGE)

    half = getattr(algorithm, good).name
    assert {name for name, verifies in failure.value.halves.items() if verifies} == {half}
    assert f"the {half} half verifies" in str(failure.value)


def test_halves_of_two_signatures_of_other_messages_do_not_mix(algorithm):
    signature, key = SIGNATURES[algorithm.name], KEYS[algorithm.name]
    cut = algorithm.ml_dsa.signature_length
    one, other = signature.sign(key, b"one"), signature.sign(key, b"other")

    for message in (b"one", b"other"):
        with pytest.raises(InvalidHalves):
            signature.verify(key.public_key(), one[:cut] + other[cut:], message)


def test_a_half_is_a_signature_of_nothing_by_itself(algorithm):
    """Neither over the message nor over what was signed, without the label as context."""
    key = KEYS[algorithm.name]
    made = SIGNATURES[algorithm.name].sign(key, MESSAGE)
    alone = SIGNATURES[algorithm.ml_dsa.name]
    for message in (MESSAGE, SIGNATURES[algorithm.name]._representative(MESSAGE, b"")):
        with pytest.raises(InvalidSignature):
            alone.verify(
                key.public_key().ml_dsa, made[: algorithm.ml_dsa.signature_length], message
            )


def test_every_truncation_is_refused(algorithm):
    signature, key = SIGNATURES[algorithm.name], KEYS[algorithm.name]
    made = signature.sign(key, MESSAGE)
    cut = algorithm.ml_dsa.signature_length
    for length in (0, 1, cut - 1, cut, cut + 1, len(made) - 1):
        with pytest.raises(InvalidHalves):
            signature.verify(key.public_key(), made[:length], MESSAGE)
    with pytest.raises(InvalidHalves):
        signature.verify(key.public_key(), made + b"\0", MESSAGE)


def test_keys_of_other_algorithms_are_refused(algorithm):
    signature = SIGNATURES[algorithm.name]
    for other in COMPOSITES:
        if other is algorithm:
            continue
        with pytest.raises(InvalidSignature, match="needs a key of"):
            signature.verify(KEYS[other.name].public_key(), b"", MESSAGE)
        with pytest.raises(CryptoError, match="needs a key of"):
            signature.sign(KEYS[other.name], MESSAGE)


def test_a_context_that_is_too_long_is_said(algorithm):
    with pytest.raises(CryptoError, match="at most 255"):
        SIGNATURES[algorithm.name].sign(KEYS[algorithm.name], MESSAGE, bytes(256))
