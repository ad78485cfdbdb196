"""Every row of the signature table, through every provider: the results must be the same."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding

from pqproxy.crypto import CryptoError, InvalidSignature
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.signatures import SIGNATURES
from tests.support import pki

MESSAGE = b"TLS 1.3, server CertificateVerify"
NAMES = [each.name for each in SIGNATURES]
SIGNING = [each.name for each in SIGNATURES if each.raw_sign]
KEYS = {
    "ecdsa-p256": "ecdsa-p256",
    "ecdsa-p384": "ecdsa-p384",
    "rsa": "rsa-2048",
    "mldsa44": "mldsa44",
    "mldsa65": "mldsa65",
    "mldsa87": "mldsa87",
}
PKCS1_HASHES = {
    "RSA-PKCS1-SHA256": hashes.SHA256(),
    "RSA-PKCS1-SHA384": hashes.SHA384(),
    "RSA-PKCS1-SHA512": hashes.SHA512(),
}


def key_for(algorithm):
    return pki.key(KEYS[algorithm.key_algorithm])


def signature_of(algorithm, message=MESSAGE):
    """A good signature, also for the algorithms that we only verify."""
    key = key_for(algorithm)
    if algorithm.name in PKCS1_HASHES:
        return key.sign(message, padding.PKCS1v15(), PKCS1_HASHES[algorithm.name])
    return algorithm.sign(key, message)


def test_the_table_holds_what_tls_needs():
    assert NAMES == [
        "ECDSA-P256-SHA256",
        "ECDSA-P384-SHA384",
        "RSA-PSS-SHA256",
        "RSA-PSS-SHA384",
        "RSA-PKCS1-SHA256",
        "RSA-PKCS1-SHA384",
        "RSA-PKCS1-SHA512",
        "ML-DSA-44",
        "ML-DSA-65",
        "ML-DSA-87",
    ]


def test_only_ml_dsa_is_slow_to_sign(provider):
    slow = {name for name, algorithm in provider.signatures.items() if algorithm.slow}

    composite = {each.name for each in COMPOSITES}
    assert slow == {"ML-DSA-44", "ML-DSA-65", "ML-DSA-87"} | composite


@pytest.mark.parametrize("name", NAMES)
def test_a_good_signature_verifies(provider, name):
    algorithm = provider.signatures[name]

    assert (
        algorithm.verify(key_for(algorithm).public_key(), signature_of(algorithm), MESSAGE) is None
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_message_can_be_verified(provider, name):
    algorithm = provider.signatures[name]
    signature = signature_of(algorithm, b"")

    algorithm.verify(key_for(algorithm).public_key(), signature, b"")

    with pytest.raises(InvalidSignature):
        algorithm.verify(key_for(algorithm).public_key(), signature, b"\0")


@pytest.mark.parametrize("name", NAMES)
def test_views_into_a_receive_buffer_can_be_verified(provider, name):
    algorithm = provider.signatures[name]
    signature = memoryview(bytearray(signature_of(algorithm)))

    algorithm.verify(key_for(algorithm).public_key(), signature, memoryview(bytearray(MESSAGE)))


@pytest.mark.parametrize("name", NAMES)
def test_another_message_does_not_verify(provider, name):
    algorithm = provider.signatures[name]

    with pytest.raises(InvalidSignature, match=name):
        algorithm.verify(key_for(algorithm).public_key(), signature_of(algorithm), MESSAGE + b"!")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("change", ["first byte", "last byte", "one less", "one more", "nothing"])
def test_a_changed_signature_does_not_verify(provider, name, change):
    algorithm = provider.signatures[name]
    good = signature_of(algorithm)
    bad = {
        "first byte": bytes([good[0] ^ 1]) + good[1:],
        "last byte": good[:-1] + bytes([good[-1] ^ 1]),
        "one less": good[:-1],
        "one more": good + b"\0",
        "nothing": b"",
    }[change]

    with pytest.raises(InvalidSignature):
        algorithm.verify(key_for(algorithm).public_key(), bad, MESSAGE)


@pytest.mark.parametrize("name", NAMES)
def test_another_key_does_not_verify(provider, name):
    algorithm = provider.signatures[name]
    other = pki.key(KEYS[algorithm.key_algorithm], "other").public_key()

    with pytest.raises(InvalidSignature):
        algorithm.verify(other, signature_of(algorithm), MESSAGE)


@pytest.mark.parametrize("name", NAMES)
def test_no_algorithm_takes_the_key_of_another(provider, name):
    """Algorithm confusion: a scheme must not be talked into a key it was not meant for."""
    algorithm = provider.signatures[name]
    signature = signature_of(algorithm)
    for kind in set(KEYS) - {algorithm.key_algorithm}:
        with pytest.raises(InvalidSignature, match=f"needs a key of {algorithm.key_algorithm}"):
            algorithm.verify(pki.key(KEYS[kind]).public_key(), signature, MESSAGE)


@pytest.mark.parametrize("name", SIGNING)
def test_no_algorithm_signs_with_the_key_of_another(provider, name):
    algorithm = provider.signatures[name]
    for kind in set(KEYS) - {algorithm.key_algorithm}:
        with pytest.raises(CryptoError, match=f"needs a key of {algorithm.key_algorithm}"):
            algorithm.sign(pki.key(KEYS[kind]), MESSAGE)


@pytest.mark.parametrize("name", NAMES)
def test_rsa_keys_of_1024_bits_and_unknown_curves_are_refused(provider, name):
    algorithm = provider.signatures[name]
    for kind in ("rsa-1024", "ecdsa-p521", "ed25519"):
        with pytest.raises(InvalidSignature, match="unsupported"):
            algorithm.verify(pki.key(kind).public_key(), bytes(128), MESSAGE)


@pytest.mark.parametrize("name", PKCS1_HASHES)
def test_pkcs1_signatures_are_never_made(provider, name):
    """They are allowed in certificates alone, which others sign."""
    with pytest.raises(CryptoError, match="verification only"):
        provider.signatures[name].sign(pki.key("rsa-2048"), MESSAGE)


@pytest.mark.parametrize("salt_length", [0, 20, 31, 33, 222])
def test_a_pss_salt_of_another_length_is_refused(provider, salt_length):
    """RFC 9846 §4.3.3: it must be as long as the digest."""
    pss = padding.PSS(padding.MGF1(hashes.SHA256()), salt_length)
    signature = pki.key("rsa-2048").sign(MESSAGE, pss, hashes.SHA256())

    with pytest.raises(InvalidSignature):
        provider.signatures["RSA-PSS-SHA256"].verify(
            pki.key("rsa-2048").public_key(), signature, MESSAGE
        )


@pytest.mark.parametrize(("name", "digest"), [("RSA-PSS-SHA256", 32), ("RSA-PSS-SHA384", 48)])
def test_the_pss_salt_we_make_is_as_long_as_the_digest(provider, name, digest):
    hash_algorithm = hashes.SHA256() if digest == 32 else hashes.SHA384()
    signature = provider.signatures[name].sign(pki.key("rsa-2048"), MESSAGE)

    pki.key("rsa-2048").public_key().verify(
        signature, MESSAGE, padding.PSS(padding.MGF1(hash_algorithm), digest), hash_algorithm
    )


@pytest.mark.parametrize(
    ("name", "hash_algorithm"),
    [("ECDSA-P256-SHA256", hashes.SHA384()), ("ECDSA-P384-SHA384", hashes.SHA256())],
)
def test_an_ecdsa_signature_over_another_hash_is_refused(provider, name, hash_algorithm):
    algorithm = provider.signatures[name]
    signature = key_for(algorithm).sign(MESSAGE, ec.ECDSA(hash_algorithm))

    with pytest.raises(InvalidSignature):
        algorithm.verify(key_for(algorithm).public_key(), signature, MESSAGE)


@pytest.mark.parametrize("name", ["ML-DSA-44", "ML-DSA-65", "ML-DSA-87"])
def test_an_ml_dsa_signature_with_a_context_is_refused(provider, name):
    """TLS signs with the empty context; any other is another protocol's signature."""
    algorithm = provider.signatures[name]
    signature = key_for(algorithm).sign(MESSAGE, b"another protocol")

    with pytest.raises(InvalidSignature):
        algorithm.verify(key_for(algorithm).public_key(), signature, MESSAGE)
