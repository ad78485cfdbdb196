"""liboqs against OpenSSL: one may replace the other, and no object of it leaks."""

import os
import traceback
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from pqproxy.crypto import CryptoError, InvalidSignature, ProviderUnavailable, load_provider
from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.crypto.liboqs import ML_DSA_SIGNATURE_LENGTHS, liboqs_provider
from pqproxy.crypto.liboqs_library import load_liboqs
from tests.support import pki

KEMS = ("ML-KEM-768", "ML-KEM-1024")
ML_DSA = tuple(ML_DSA_SIGNATURE_LENGTHS)
COMPOSITE = {each.name: each for each in COMPOSITES}
MESSAGE = b"TLS 1.3, client CertificateVerify"


@pytest.fixture
def openssl():
    return load_provider("openssl")


@pytest.fixture
def lifetimes(liboqs, monkeypatch):
    """How often each object of liboqs-python was freed."""
    oqs = load_liboqs()
    counted = SimpleNamespace(objects=[], frees=[])

    def count(kind):
        make, free = kind.__init__, kind.free

        def counting_make(self, *arguments):
            counted.objects.append(self)
            make(self, *arguments)

        def counting_free(self):
            counted.frees.append(id(self))
            free(self)

        monkeypatch.setattr(kind, "__init__", counting_make)
        monkeypatch.setattr(kind, "free", counting_free)
        # Its own reads freed memory: a failing test would take pytest down while it reports.
        monkeypatch.setattr(kind, "__repr__", object.__repr__)

    count(oqs.KeyEncapsulation)
    count(oqs.Signature)
    return counted


def ml_dsa_key(name):
    return pki.key(f"mldsa{name[-2:]}")


def test_every_algorithm_says_who_computes_it(liboqs):
    assert {kem.provider for kem in liboqs.kems.values()} == {"liboqs"}
    assert {name for name, each in liboqs.signatures.items() if each.provider == "liboqs"} == {
        *ML_DSA,
        *COMPOSITE,
    }
    # It has no import of a seed, so nothing signs with it.
    assert {each.signing_provider for each in liboqs.signatures.values()} == {"openssl"}


@pytest.mark.parametrize("name", KEMS)
def test_one_seed_gives_one_encapsulation_key(liboqs, openssl, name):
    for seed in (bytes(64), b"\xff" * 64, os.urandom(64)):
        ours, theirs = liboqs.kems[name].generate(seed), openssl.kems[name].generate(seed)

        assert ours.encapsulation_key == theirs.encapsulation_key


@pytest.mark.parametrize("name", KEMS)
def test_either_opens_what_the_other_encapsulated(liboqs, openssl, name):
    for sender, receiver in ((liboqs, openssl), (openssl, liboqs)):
        key = receiver.kems[name].generate(os.urandom(64))
        made = sender.kems[name].encapsulate(key.encapsulation_key)

        assert key.decapsulate(made.ciphertext) == made.shared_secret


@pytest.mark.parametrize("name", KEMS)
def test_both_give_one_secret_for_a_forged_ciphertext(liboqs, openssl, name):
    seed, forged = os.urandom(64), os.urandom(liboqs.kems[name].ciphertext_length)

    secrets = {
        provider.kems[name].generate(seed).decapsulate(forged) for provider in (liboqs, openssl)
    }

    assert len(secrets) == 1


@pytest.mark.parametrize("name", ML_DSA)
def test_signature_lengths_are_those_of_the_standard(liboqs, name):
    signature = liboqs.signatures[name].sign(ml_dsa_key(name), MESSAGE)

    assert len(signature) == ML_DSA_SIGNATURE_LENGTHS[name]


@pytest.mark.parametrize("name", ML_DSA)
def test_both_verify_the_same_signatures(liboqs, openssl, name):
    key = ml_dsa_key(name)
    signature = openssl.signatures[name].sign(key, MESSAGE)

    for provider in (liboqs, openssl):
        provider.signatures[name].verify(key.public_key(), signature, MESSAGE)
        with pytest.raises(InvalidSignature, match=f"^{name} signature does not verify$"):
            provider.signatures[name].verify(key.public_key(), signature, MESSAGE[:-1])


def test_objects_are_freed_exactly_once(liboqs, lifetimes):
    """Not at all leaks and keeps the secret in memory; twice aborts the process."""
    kem = liboqs.kems["ML-KEM-768"]
    key = kem.generate(bytes(64))
    key.decapsulate(kem.encapsulate(key.encapsulation_key).ciphertext)
    algorithm, signer = liboqs.signatures["ML-DSA-65"], ml_dsa_key("ML-DSA-65")
    algorithm.verify(signer.public_key(), algorithm.sign(signer, MESSAGE), MESSAGE)
    composite = liboqs.signatures["MLDSA65-ECDSA-P256-SHA512"]
    hybrid = pki.key(composite.key_algorithm)
    composite.verify(hybrid.public_key(), composite.sign(hybrid, MESSAGE), MESSAGE)

    assert len(lifetimes.objects) == 5
    assert lifetimes.frees == [id(each) for each in lifetimes.objects]


def test_objects_are_freed_when_the_library_fails(liboqs, lifetimes, monkeypatch):
    oqs = load_liboqs()
    kem = liboqs.kems["ML-KEM-768"]
    key = kem.generate(bytes(64))

    def fail(self, *arguments):
        raise RuntimeError("the library failed")

    for name in ("generate_keypair_seed", "encap_secret", "decap_secret"):
        monkeypatch.setattr(oqs.KeyEncapsulation, name, fail)
    for call in (
        lambda: kem.generate(bytes(64)),
        lambda: kem.encapsulate(key.encapsulation_key),
        lambda: key.decapsulate(bytes(kem.ciphertext_length)),
    ):
        with pytest.raises(CryptoError, match=r"^liboqs failed \(RuntimeError\)$") as failure:
            call()
        # A surviving frame holds secrets, and freed objects that crash whoever prints them.
        assert failure.value.__context__ is None
        assert "fail" not in {frame.name for frame in traceback.extract_tb(failure.tb)}

    assert len(lifetimes.objects) == 4
    assert lifetimes.frees == [id(each) for each in lifetimes.objects]


def test_refused_input_makes_no_object_at_all(liboqs, lifetimes):
    kem = liboqs.kems["ML-KEM-1024"]
    for refuse, data in ((kem.generate, bytes(63)), (kem.encapsulate, b"\xff" * 1568)):
        with pytest.raises(ValueError, match="ML-KEM-1024"):
            refuse(data)
    with pytest.raises(InvalidSignature):
        liboqs.signatures["ML-DSA-44"].verify(
            ml_dsa_key("ML-DSA-44").public_key(), bytes(2419), MESSAGE
        )
    for name, algorithm in COMPOSITE.items():
        short = bytes(algorithm.ml_dsa.signature_length - 1)
        with pytest.raises(InvalidSignature, match=name):
            liboqs.signatures[name].verify(
                pki.key(algorithm.key_algorithm).public_key(), short, MESSAGE
            )

    assert lifetimes.objects == []


def test_many_threads_may_share_one_provider_and_one_key(liboqs):
    """ctypes lets go of the interpreter lock, so calls really do run side by side."""
    kem, shared_key = liboqs.kems["ML-KEM-768"], liboqs.kems["ML-KEM-768"].generate(bytes(64))
    algorithm, signer = liboqs.signatures["ML-DSA-44"], ml_dsa_key("ML-DSA-44")
    signature = algorithm.sign(signer, MESSAGE)

    def hammer(worker):
        for _ in range(100):
            key = kem.generate(os.urandom(64))
            for each in (key, shared_key):
                made = kem.encapsulate(each.encapsulation_key)
                assert each.decapsulate(made.ciphertext) == made.shared_secret
            algorithm.verify(signer.public_key(), signature, MESSAGE)
            with pytest.raises(InvalidSignature):
                algorithm.verify(signer.public_key(), signature, b"another message")
        return worker

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(hammer, range(8))) == list(range(8))


def test_a_liboqs_built_without_an_algorithm_is_refused_by_name(monkeypatch):
    partial = SimpleNamespace(
        get_enabled_kem_mechanisms=lambda: ("ML-KEM-768",),
        get_enabled_sig_mechanisms=lambda: ML_DSA,
    )
    monkeypatch.setattr("pqproxy.crypto.liboqs.load_liboqs", lambda: partial)

    with pytest.raises(ProviderUnavailable, match=r"built without ML-KEM-1024;"):
        liboqs_provider()
