import pytest
from cryptography.hazmat import asn1

from pqproxy.crypto.spki import SubjectPublicKeyInfo
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.profile import COMPOSITE_KEYS
from pqproxy.identity.trust import Trust
from pqproxy.probing.chain import describe, verify_with
from tests.support import pki


@pytest.mark.parametrize(
    ("algorithm", "key", "signature", "is_post_quantum"),
    [
        ("ecdsa-p256", "ecdsa-p256", "ecdsa-sha256", False),
        ("ecdsa-p384", "ecdsa-p384", "ecdsa-sha384", False),
        ("ecdsa-p521", "ecdsa-secp521r1", "ecdsa-sha512", False),
        ("rsa-2048", "rsa-2048", "rsa-sha256", False),
        ("ed25519", "ed25519", "ed25519", False),
        ("mldsa65", "mldsa65", "mldsa65", True),
        ("mldsa87", "mldsa87", "mldsa87", True),
        *((kind, kind, kind, True) for kind in sorted(COMPOSITE_KEYS)),
    ],
)
def test_a_certificate_is_described(algorithm, key, signature, is_post_quantum):
    leaf = pki.root(algorithm).issue(dns=("llm.test",), ips=("10.0.0.7",))
    (found,) = describe(leaf.chain_der, pki.NOW)

    assert (found.key, found.signature) == (key, signature)
    assert found.is_post_quantum is is_post_quantum
    assert found.names == ("llm.test", "10.0.0.7")
    assert found.not_after == "2045-01-01T00:00:00+00:00"
    assert found.days_left == 6575
    assert found.size == len(leaf.chain_der[0])


def test_an_mldsa_key_under_a_classical_signature_is_not_post_quantum():
    leaf = pki.root("ecdsa-p256").issue(algorithm="mldsa65", dns=("llm.test",))
    (found,) = describe(leaf.chain_der, pki.NOW)

    assert (found.key, found.signature) == ("mldsa65", "ecdsa-sha256")
    assert not found.is_post_quantum


def test_a_key_that_is_not_of_the_kind_that_it_says_is_not_post_quantum():
    kind = "mldsa65-ecdsa-p256"

    def cut(tbs):
        info = tbs.public_key.parse(SubjectPublicKeyInfo)
        info.public_key = asn1.BitString(info.public_key.as_bytes()[:-1], 0)
        tbs.public_key = asn1.decode_der(asn1.TLV, asn1.encode_der(info))

    leaf = pki.root(kind).issue(dns=("llm.test",), edit=cut)
    (found,) = describe(leaf.chain_der, pki.NOW)

    assert (found.key, found.signature) == ("unreadable", kind)
    assert not found.is_post_quantum


def test_what_does_not_parse_or_is_far_too_large_is_none():
    big = pki.root().issue(dns=tuple(f"n{number}.example.test" for number in range(500)))

    assert describe((b"\x30\x03\x02\x01\x00", b"", *big.chain_der[:1]), pki.NOW) == (None,) * 3


def test_names_out_of_certificates_cannot_drive_a_terminal():
    leaf = pki.self_signed(name="\x1b[31mred")
    (found,) = describe(leaf.chain_der, pki.NOW)

    assert "\x1b" not in found.subject


def verifier(name, *roots):
    return verify_with(Trust.load(pki.trust_files(*roots)), name, lambda: pki.NOW)


def test_a_chain_is_believed_for_its_name_only():
    root = pki.root()
    chain = root.issue(dns=("llm.test",)).chain_der

    assert verifier("llm.test", root)(chain) is None
    assert "other.test" in verifier("other.test", root)(chain)
    assert verifier("llm.test", pki.root(name="another"))(chain)


def test_a_name_that_is_none_is_an_error():
    with pytest.raises(IdentityError):
        verifier("*", pki.root())
