import dataclasses
from datetime import UTC, datetime
from itertools import permutations

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)

from pqproxy.config.values import IdentityFiles
from pqproxy.crypto.keys import encode_private_key
from pqproxy.crypto.liboqs_library import load_liboqs
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.own import Identity, unlock
from pqproxy.identity.pem import encode
from tests.support import pki
from tests.support.ml_dsa_forms import with_expanded_key
from tests.support.providers import provider_or_skip

ROOT = pki.root()
LEAF = ROOT.intermediate().issue(uris=("spiffe://corp/llm",), dns=("llm.test",))


def files(certificate=LEAF.certificate_pem, key=LEAF.key_pem):
    return IdentityFiles("llm", certificate, key, "llm.crt, llm.key")


def error_of(identity_files):
    with pytest.raises(IdentityError) as error:
        Identity.load(identity_files, pki.NOW)
    assert str(error.value).startswith("identity llm: llm.crt, llm.key: ")
    return error.value


@pytest.mark.parametrize("algorithm", pki.ALGORITHMS)
def test_an_identity_of_every_algorithm_is_loaded(algorithm):
    leaf = pki.root(algorithm).intermediate().issue(dns=("llm.test",))

    identity = Identity.load(leaf.files("llm"), pki.NOW)

    assert identity.name == "llm"
    assert identity.chain == leaf.chain_der
    assert identity.key_algorithm == leaf.key_algorithm
    assert identity.private_key.public_key() == leaf.certificate.public_key()


def test_an_identity_has_the_names_that_peers_see():
    identity = Identity.load(files(), pki.NOW)

    assert identity.names.name == "spiffe://corp/llm"
    assert identity.names.dns_names == ("llm.test",)


def test_an_identity_ends_with_the_first_certificate_of_its_chain():
    ends = datetime(2028, 1, 1, tzinfo=UTC)
    leaf = ROOT.intermediate(name="short", not_after=ends).issue(dns=("a.test",))

    assert Identity.load(leaf.files(), pki.NOW).not_after == ends.timestamp()


def test_the_root_is_not_sent():
    identity = Identity.load(files(LEAF.certificate_pem + ROOT.certificate_pem), pki.NOW)

    assert identity.chain == LEAF.chain_der


def test_a_file_with_key_and_certificates_serves_as_both():
    parts = (LEAF.key_pem, LEAF.certificate_pem, ROOT.certificate_pem)

    for bundle in map(b"".join, permutations(parts)):
        assert Identity.load(files(bundle, bundle), pki.NOW).chain == LEAF.chain_der


def test_an_identity_does_not_print_its_key():
    assert "private" not in repr(Identity.load(files(), pki.NOW)).lower()


def test_a_key_of_another_certificate_is_named():
    error = error_of(files(key=ROOT.issue(name="other").key_pem))

    assert "the private key does not belong to the certificate (CN=leaf)" in str(error)
    assert "use the key that the certificate was issued for" in error.fix


def test_a_leaf_that_is_not_first_is_named():
    leaf, issuer = (pki._pem(certificate) for certificate in LEAF.certificates)

    error = error_of(files(issuer + leaf))

    assert "the certificate of the private key is number 2 in the file" in str(error)
    assert error.fix.startswith("put it first")


def test_issuers_out_of_order_are_named():
    leaf = ROOT.intermediate(name="upper").intermediate(name="lower").issue(dns=("a.test",))
    first, lower, upper = leaf.certificates
    swapped = dataclasses.replace(leaf, certificates=(first, upper, lower))

    error = error_of(files(swapped.certificate_pem, leaf.key_pem))

    assert "out of order: CN=upper does not follow CN=leaf" in str(error)
    assert "leaf first" in error.fix


@pytest.mark.parametrize(
    ("leaf", "message"),
    [
        (ROOT.issue(not_after=pki.PAST), "CN=leaf expired on 2021-01-01 00:00 UTC"),
        (ROOT.issue(not_before=pki.FUTURE), "CN=leaf is not valid before 2044-01-01 00:00 UTC"),
        (
            ROOT.intermediate(not_after=pki.PAST).issue(),
            "CN=intermediate expired on 2021-01-01 00:00 UTC",
        ),
        (ROOT.issue(ca=True), "CN=leaf is the certificate of an authority"),
    ],
    ids=["expired", "not yet valid", "issuer expired", "ca"],
)
def test_a_certificate_that_peers_would_refuse_is_refused_at_start(leaf, message):
    error = error_of(files(leaf.certificate_pem, leaf.key_pem))

    assert message in str(error)
    assert error.fix


@pytest.mark.parametrize("algorithm", ["ed25519", "ecdsa-p521", "rsa-1024"])
def test_a_key_that_cannot_sign_handshakes_is_refused(algorithm):
    leaf = ROOT.issue(algorithm=algorithm)

    assert "not supported" in str(error_of(files(leaf.certificate_pem, leaf.key_pem)))


def encrypted(passphrase):
    return LEAF.key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(passphrase)
    )


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (b"", "the file is empty"),
        (LEAF.certificate_pem, "no private key here"),
        (LEAF.key_pem.replace(b"MI", b"AA"), "damaged"),
        (encrypted(b"secret"), "encrypted"),
    ],
    ids=["empty", "certificate", "damaged", "encrypted"],
)
def test_an_unreadable_key_is_named_without_a_byte_of_it(key, message):
    error = error_of(files(key=key))

    assert message in str(error)
    assert not any(line in f"{error}{error.fix}" for line in LEAF.key_pem.decode().split("\n")[1:3])
    assert error.__cause__ is None


def locked(passphrase=b"secret"):
    return dataclasses.replace(files(key=encrypted(b"secret")), passphrase=passphrase)


def test_an_encrypted_key_is_opened_with_its_passphrase():
    assert Identity.load(locked(), pki.NOW).private_key.public_key() == LEAF.key.public_key()


@pytest.mark.parametrize(
    ("identity_files", "message"),
    [
        (locked(b"wrong"), "does not open the private key"),
        (locked(None), "no passphrase is given"),
        (dataclasses.replace(files(), passphrase=b"secret"), "is not encrypted"),
    ],
    ids=["wrong", "missing", "needless"],
)
def test_a_passphrase_that_does_not_fit_is_named_with_the_file(identity_files, message):
    error = error_of(identity_files)

    assert message in str(error)
    assert "secret" not in str(error)
    assert error.__context__ is None


def test_an_unlocked_identity_is_the_same_without_its_passphrase():
    """What a worker is given: it has no time to derive keys, and no need of the passphrase."""
    unlocked = unlock(locked())

    assert unlocked.passphrase is None
    assert Identity.load(unlocked, pki.NOW).chain == LEAF.chain_der


def test_an_identity_without_a_passphrase_stays_as_it_is():
    assert unlock(files()) == files()


def test_what_cannot_be_unlocked_is_named():
    with pytest.raises(IdentityError, match=r"identity llm: llm.crt, llm.key: .*does not open"):
        unlock(locked(b"wrong"))


@pytest.mark.parametrize(
    ("certificate", "message"),
    [
        (b"", "holds no certificate"),
        (LEAF.key_pem, "holds no certificate"),
        (LEAF.certificate_pem.replace(b"MII", b"MIJ", 1), "block 1 is not a readable"),
    ],
    ids=["empty", "key", "damaged"],
)
def test_an_unreadable_certificate_is_named(certificate, message):
    assert message in str(error_of(files(certificate)))


ML_DSA_LEAF = pki.root("mldsa65").intermediate().issue(dns=("llm.test",))


def test_an_identity_may_have_an_expanded_key():
    """Of several certificates it is found which one it is of."""
    provider_or_skip("liboqs")
    identity = Identity.load(with_expanded_key(ML_DSA_LEAF, "llm"), pki.NOW)

    assert identity.key_algorithm == "mldsa65"
    assert identity.private_key.public_key() == ML_DSA_LEAF.certificate.public_key()
    assert "secret" not in repr(identity)


def test_an_expanded_key_that_is_not_the_first_certificate_s_is_told_where_it_belongs():
    provider_or_skip("liboqs")
    turned = encode(*reversed(ML_DSA_LEAF.certificates))

    error = error_of(files(turned, with_expanded_key(ML_DSA_LEAF).key))

    assert "the certificate of the private key is number 2 in the file" in str(error)


def test_an_expanded_key_of_another_certificate_is_named():
    other = pki.root("mldsa65").issue(name="other")
    swapped = files(other.certificate_pem, with_expanded_key(ML_DSA_LEAF).key)

    error = error_of(swapped)

    assert "the private key does not belong to the certificate" in str(error)
    assert "use the key that the certificate was issued for" in error.fix


def test_an_expanded_key_without_liboqs_is_refused_with_the_ways_out(monkeypatch, tmp_path):
    load_liboqs.cache_clear()
    monkeypatch.setenv("OQS_INSTALL_PATH", str(tmp_path))

    error = error_of(files(ML_DSA_LEAF.certificate_pem, with_expanded_key(ML_DSA_LEAF).key))

    assert "ML-DSA-65 key in the expanded form, without its seed" in str(error)
    assert error.fix.endswith("or install liboqs")
    assert error.__context__ is None


def damaged(key):
    return key[:200] + bytes([key[200] ^ 1]) + key[201:]


def test_a_damaged_expanded_key_is_found_out_before_a_peer_sees_it():
    provider_or_skip("liboqs")
    key = with_expanded_key(ML_DSA_LEAF, change=damaged).key

    error = error_of(files(ML_DSA_LEAF.certificate_pem, key))

    assert "what it signs does not verify" in str(error)
    assert error.fix == "export it again from where it was made"


def test_an_expanded_key_is_unlocked_into_the_same_form():
    """A worker has neither the passphrase nor a seed, and needs none."""
    provider_or_skip("liboqs")
    plain = files(ML_DSA_LEAF.certificate_pem, with_expanded_key(ML_DSA_LEAF).key)
    key = Identity.load(plain, pki.NOW).private_key
    locked = dataclasses.replace(
        plain, key=encode_private_key(key, b"correct horse"), passphrase=b"correct horse"
    )

    unlocked = unlock(locked)

    assert unlocked.passphrase is None
    assert Identity.load(unlocked, pki.NOW, checked=True).chain == ML_DSA_LEAF.chain_der
