import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.crypto import CryptoError, InvalidSignature, load_provider
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.errors import InvalidHalves
from pqproxy.crypto.pkcs8 import encode_pkcs8, read_pkcs8
from pqproxy.crypto.spki import certificate_key
from tests.support.vectors import load_vectors

SIGNATURES = load_provider().signatures
KEYS = {each.name: each.generate() for each in COMPOSITES}
MESSAGE, CONTEXT = b"a message", b"a context"
GOOD = {name: SIGNATURES[name].sign(key, MESSAGE) for name, key in KEYS.items()}


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


def test_the_drafts_vectors(algorithm, vector, provider):
    message, context, values = vector
    private_key = read_pkcs8(values["sk_pkcs8"])
    assert private_key.private_bytes_raw() == values["sk"]
    assert encode_pkcs8(private_key) == values["sk_pkcs8"]
    assert private_key.public_key().public_bytes_raw() == values["pk"]
    certificate = x509.load_der_x509_certificate(values["x5c"])
    public_key = certificate_key(certificate)
    assert public_key == private_key.public_key()

    signature = provider.signatures[algorithm.name]
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


def der_integer(value, padding=0):
    length = ((value if value >= 0 else ~value).bit_length() + 8) // 8
    sign = b"\xff" if value < 0 else b"\0"
    body = sign * padding + value.to_bytes(length, signed=True)
    return b"\x02" + bytes([len(body)]) + body


def der_sequence(*parts):
    body = b"".join(parts)
    length = bytes([len(body)]) if len(body) < 128 else b"\x81" + bytes([len(body)])
    return b"\x30" + length + body


def forms_of(r, s, order):
    """What an ECDSA signature may be made into: each form, by name."""
    first, second = der_integer(r), der_integer(s)
    good = der_sequence(first, second)
    return {
        "negative": der_sequence(first, der_integer(-s)),
        "negative, same residue": der_sequence(first, der_integer(s - order)),
        "s above the order": der_sequence(first, der_integer(s + order)),
        "r above the order": der_sequence(der_integer(r + order), second),
        "zeros": der_sequence(der_integer(0), der_integer(0)),
        "r zero": der_sequence(der_integer(0), second),
        "s zero": der_sequence(first, der_integer(0)),
        "r and s the order": der_sequence(der_integer(order), der_integer(order)),
        "far too long": der_sequence(first, der_integer(1 << 500)),
        "padded": der_sequence(der_integer(r, padding=1), second),
        "one number": der_sequence(first),
        "three numbers": der_sequence(first, second, der_integer(1)),
        "more in it": der_sequence(first, second, b"\0"),
        "more behind it": good + b"\0",
        "indefinite length": b"\x30\x80" + good[2:] + b"\0\0",
        "raw": r.to_bytes(66) + s.to_bytes(66),
        "null": b"\5\0",
    }


@pytest.mark.parametrize("form", forms_of(1, 1, 2))
@pytest.mark.parametrize("name", ["MLDSA65-ECDSA-P256-SHA512", "MLDSA87-ECDSA-P384-SHA512"])
def test_an_ecdsa_half_has_one_form(name, form):
    """Whatever else decodes to the same numbers is refused, and named as the half that it is."""
    signature, key = SIGNATURES[name], KEYS[name]
    made = signature.sign(key, MESSAGE)
    cut = key.algorithm.ml_dsa.signature_length
    r, s = decode_dss_signature(made[cut:])
    changed = forms_of(r, s, key.traditional.curve.group_order)[form]

    with pytest.raises(InvalidHalves) as failure:
        signature.verify(key.public_key(), made[:cut] + changed, MESSAGE)

    assert list(failure.value.halves.values()) == [True, False]


def test_an_ecdsa_half_can_be_turned_into_its_twin():
    """Known and harmless: (r, n - s) verifies wherever (r, s) does, over the same text only. So no
    signature serves as a name for anything, nor does the absence of one on a list prove anything.
    """
    name = "MLDSA65-ECDSA-P256-SHA512"
    signature, key = SIGNATURES[name], KEYS[name]
    made = signature.sign(key, MESSAGE)
    cut = key.algorithm.ml_dsa.signature_length
    r, s = decode_dss_signature(made[cut:])
    twin = made[:cut] + encode_dss_signature(r, key.traditional.curve.group_order - s)

    assert twin != made
    signature.verify(key.public_key(), twin, MESSAGE)
    with pytest.raises(InvalidHalves):
        signature.verify(key.public_key(), twin, b"another")


def test_an_ed25519_half_has_one_form():
    """S is below the order (RFC 8032 §5.1.7), so that no signature has a twin."""
    name = "MLDSA65-Ed25519-SHA512"
    signature, key = SIGNATURES[name], KEYS[name]
    made = signature.sign(key, MESSAGE)
    s = int.from_bytes(made[-32:], "little") + 2**252 + 27742317777372353535851937790883648493
    for changed in (made[:-32] + s.to_bytes(32, "little"), made + b"\0", made[:-1]):
        with pytest.raises(InvalidHalves) as failure:
            signature.verify(key.public_key(), changed, MESSAGE)
        assert list(failure.value.halves.values()) == [True, False]


@pytest.mark.parametrize("name", KEYS)
def test_halves_of_two_keys_do_not_mix(name):
    """Mallory's ML-DSA half beside Alice's ECDSA half is a signature of neither, under neither
    key nor a key of both halves.
    """
    signature, alice = SIGNATURES[name], KEYS[name]
    mallory = alice.algorithm.generate()
    cut = alice.algorithm.ml_dsa.signature_length
    mixed = signature.sign(mallory, MESSAGE)[:cut] + signature.sign(alice, MESSAGE)[cut:]

    for key, verdicts in ((alice, [False, True]), (mallory, [True, False])):
        with pytest.raises(InvalidHalves) as failure:
            signature.verify(key.public_key(), mixed, MESSAGE)
        assert list(failure.value.halves.values()) == verdicts


@given(st.binary(max_size=80), st.integers(0, 80))
def test_any_bytes_are_refused_and_nothing_else_happens(data, kept):
    for name, key in KEYS.items():
        signature = SIGNATURES[name]
        good = GOOD[name]
        cut = key.algorithm.ml_dsa.signature_length
        for forged in (
            data,
            good[:cut] + data,
            data + good[len(data) :],
            good[: cut + kept] + data,
        ):
            if forged == good:
                continue
            with pytest.raises(InvalidHalves):
                signature.verify(key.public_key(), forged, MESSAGE)


def test_every_provider_finds_the_same_of_each_half(algorithm, provider):
    """One verifies ML-DSA by OpenSSL, the other by liboqs: never may one take what the other does
    not.
    """
    signature, key = provider.signatures[algorithm.name], KEYS[algorithm.name]
    good, cut = GOOD[algorithm.name], algorithm.ml_dsa.signature_length
    signature.verify(key.public_key(), good, MESSAGE)

    for position in (0, 31, cut // 2, cut - 1):
        forged = good[:position] + bytes([good[position] ^ 0x80]) + good[position + 1 :]
        with pytest.raises(InvalidHalves) as failure:
            signature.verify(key.public_key(), forged, MESSAGE)
        assert list(failure.value.halves.values()) == [False, True]
    for length in (0, 1, cut - 1):
        with pytest.raises(InvalidHalves):
            signature.verify(key.public_key(), good[:length], MESSAGE)
    with pytest.raises(InvalidHalves):
        signature.verify(key.public_key(), good, MESSAGE, CONTEXT)


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
