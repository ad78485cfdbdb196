import pytest

from pqproxy.identity.errors import IdentityError
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
