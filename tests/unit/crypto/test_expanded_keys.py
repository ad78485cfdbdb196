"""ML-DSA keys without their seeds: who they belong to, and that nothing bad of them leaves."""

import os
import traceback

import pytest

from pqproxy.crypto import CryptoError, InvalidSignature, load_provider
from pqproxy.crypto.composite_halves import ML_DSA_44, ML_DSA_65, ML_DSA_87
from pqproxy.crypto.expanded_keys import (
    EXPANDED_LENGTHS,
    ExpandedPrivateKey,
    belong_together,
    find_certified,
)
from pqproxy.crypto.liboqs_library import load_liboqs
from pqproxy.proxy.signer import attempt
from pqproxy.signing.algorithms import BY_KEY
from tests.support import pki
from tests.support.ml_dsa_forms import halves

SETS = {"mldsa44": ML_DSA_44, "mldsa65": ML_DSA_65, "mldsa87": ML_DSA_87}
MESSAGE = b"TLS 1.3, server CertificateVerify"
# Where the parts of an ML-DSA-65 key begin (FIPS 204, algorithm 24).
S1, S2, T0, END = 128, 128 + 5 * 128, 128 + 11 * 128, 4032


def expanded(kind, change=lambda key: key):
    key = change(bytearray(halves(kind)[1]))
    public_key = pki.key(kind).public_key()
    return ExpandedPrivateKey(SETS[kind], public_key, bytes(key), load_liboqs())


def scrambled(begin, end):
    def change(key):
        key[begin:end] = os.urandom(end - begin)
        return key

    return change


@pytest.mark.parametrize("kind", SETS)
def test_what_it_signs_verifies_with_every_provider(provider, liboqs, kind):
    """The algorithm of a provider takes such a key like any other."""
    name = SETS[kind].name
    key, algorithm = expanded(kind), provider.signatures[name]

    signature = algorithm.sign(key, MESSAGE)

    assert len(signature) == SETS[kind].signature_length
    load_provider("openssl").signatures[name].verify(key.public_key(), signature, MESSAGE)
    algorithm.verify(key.public_key(), signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        algorithm.verify(key.public_key(), signature, MESSAGE[:-1])


def test_it_signs_for_no_other_algorithm(provider, liboqs):
    with pytest.raises(CryptoError, match="ML-DSA-44 needs a key of mldsa44, got mldsa65"):
        provider.signatures["ML-DSA-44"].sign(expanded("mldsa65"), MESSAGE)


def test_it_signs_under_a_context(liboqs):
    """As `pqproxy sign` does."""
    algorithm, key = BY_KEY["mldsa65"], expanded("mldsa65")

    signature = algorithm.sign(key, MESSAGE)

    assert algorithm.halves(key.public_key(), signature, MESSAGE) == {"ML-DSA-65": True}
    with pytest.raises(InvalidSignature):
        load_provider().signatures["ML-DSA-65"].verify(key.public_key(), signature, MESSAGE)


@pytest.mark.parametrize("kind", SETS)
def test_a_sound_key_is_proved(liboqs, kind):
    expanded(kind).prove()


@pytest.mark.parametrize(("begin", "end"), [(0, 32), (64, 128), (S1, S2), (T0, END)])
def test_a_damaged_key_is_not(liboqs, begin, end):
    with pytest.raises(CryptoError, match="ML-DSA-65 key in the expanded form is damaged"):
        expanded("mldsa65", scrambled(begin, end)).prove()


def test_what_a_damaged_key_signs_verifies_or_does_not_leave(liboqs):
    """With another s2 nine signatures of ten are good, so that trying it is no proof."""
    key = expanded("mldsa65", scrambled(S2, T0))
    signatures = [attempt(lambda: key.sign(MESSAGE)) for _ in range(40)]

    for signature in signatures:
        if isinstance(signature, CryptoError):
            assert "damaged: what it signs does not verify" in str(signature)
        else:
            key.public_key().verify(signature, MESSAGE)
    assert any(isinstance(each, bytes) for each in signatures)


def test_nothing_of_the_key_is_shown(liboqs, monkeypatch):
    key = expanded("mldsa65")
    secret = halves("mldsa65")[1]
    shown = repr(key)

    def fail(self, *arguments):
        raise RuntimeError(secret.hex())

    monkeypatch.setattr(load_liboqs().Signature, "sign_with_ctx_str", fail)
    with pytest.raises(CryptoError, match=r"^liboqs failed \(RuntimeError\)$") as failure:
        key.sign(MESSAGE)

    assert "secret" not in shown
    assert repr(secret[32:40])[2:-1] not in shown
    assert failure.value.__context__ is None
    assert "fail" not in {frame.name for frame in traceback.extract_tb(failure.tb)}


@pytest.mark.parametrize("works", [True, False])
def test_the_object_of_the_library_is_freed_once(liboqs, monkeypatch, works):
    kind, freed = load_liboqs().Signature, []
    free = kind.free
    monkeypatch.setattr(kind, "__repr__", object.__repr__)  # its own reads freed memory
    monkeypatch.setattr(kind, "free", lambda self: (freed.append(1), free(self)))
    if not works:
        monkeypatch.setattr(kind, "sign_with_ctx_str", lambda self, *_: 1 / 0)
        with pytest.raises(CryptoError):
            expanded("mldsa65").sign(MESSAGE)
    else:
        expanded("mldsa65").sign(MESSAGE)

    assert freed == [1]


@pytest.mark.parametrize("kind", SETS)
def test_it_names_its_public_key(kind):
    key, parameters = halves(kind)[1], SETS[kind]
    own, other = pki.key(kind).public_key(), pki.key(kind, "other").public_key()
    strange = [pki.key("ecdsa-p256").public_key(), *(pki.key(k).public_key() for k in SETS)]

    assert len(key) == EXPANDED_LENGTHS[parameters.name]
    assert find_certified(parameters, key, [other, *strange]) == own
    assert find_certified(parameters, key, [other, pki.key("rsa-2048").public_key()]) is None
    assert find_certified(parameters, key, []) is None


@pytest.mark.parametrize("at", [0, 31, 64, 127])
def test_each_bit_of_the_name_counts(at):
    key, public_key = bytearray(halves("mldsa65")[1]), pki.key("mldsa65").public_key()
    raw = public_key.public_bytes_raw()
    assert belong_together(ML_DSA_65, bytes(key), raw)

    key[at] ^= 1

    assert not belong_together(ML_DSA_65, bytes(key), raw)


@pytest.mark.parametrize("length", [0, 127, 128, 4031, 4033])
def test_a_key_of_another_length_belongs_to_nobody(length):
    key = (halves("mldsa65")[1] + b"\0")[:length]

    assert not belong_together(ML_DSA_65, key, pki.key("mldsa65").public_key().public_bytes_raw())
