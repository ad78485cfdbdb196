import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.crypto import peer_certificates
from pqproxy.crypto.certificate_size import MAX_AUTHORITY_EXTENSIONS
from pqproxy.crypto.peer_certificates import KEPT, TooLarge, read_certificate
from tests.support import pki

ROOT = pki.root("ecdsa-p256")
LEAF = ROOT.issue(dns=("a.test",)).chain_der[0]


def test_a_certificate_that_comes_again_is_not_read_again():
    """As bytes of their own, as each connection brings them."""
    first = read_certificate(LEAF, authority=False)

    assert first.public_bytes(Encoding.DER) == LEAF
    assert read_certificate(bytes(bytearray(LEAF)), authority=False) is first


def test_what_is_small_enough_for_a_leaf_may_be_too_large_for_an_authority():
    """Having read it as one says nothing of the other."""
    names = [f"{number}.{'x' * 50}.test" for number in range(60)]
    large = ROOT.issue(dns=tuple(names)).chain_der[0]
    assert len(large) > MAX_AUTHORITY_EXTENSIONS

    read_certificate(large, authority=False)
    with pytest.raises(TooLarge):
        read_certificate(large, authority=True)


def test_a_refusal_is_made_anew_each_time():
    for _ in range(2):
        with pytest.raises(ValueError, match="parsing"):
            read_certificate(b"no certificate", authority=False)


def test_only_so_many_are_kept():
    """A peer chooses what it shows: a stream of new ones must not fill our memory."""
    for number in range(KEPT + 5):
        read_certificate(ROOT.issue(dns=(f"{number}.test",)).chain_der[0], authority=False)

    assert peer_certificates.read_certificate.cache_info().currsize == KEPT
