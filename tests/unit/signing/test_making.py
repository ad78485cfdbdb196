import hashlib
import io
import os
from datetime import UTC, datetime

import pytest

from pqproxy.signing import Authentication, SigningError, sign
from pqproxy.signing.algorithms import BY_NAME
from pqproxy.signing.envelope import Envelope
from tests.support import pki

HYBRID = "mldsa65-ecdsa-p256"
LEAF = pki.root(HYBRID).intermediate().issue(uris=("spiffe://corp/publisher",))
AT = datetime(2026, 11, 21, 15, 42, 43, 999999, tzinfo=UTC)


def signed(content=b"weights", leaf=LEAF, **options):
    return Envelope.read(sign(content, leaf.key, leaf.chain_der, at=AT, **options))


def refusal_of(key, chain, **options):
    with pytest.raises(SigningError) as refusal:
        sign(Unread(), key, chain, **options)
    return f"{refusal.value} {refusal.value.fix}"


class Unread(io.RawIOBase):
    """What is read before it is known whether it can be signed was read in vain, all 50 GB."""

    def read(self, size=-1):
        raise AssertionError("read before the key was looked at")


def test_a_signature_holds_what_it_says(tmp_path):
    envelope = signed()
    statement = envelope.statement

    assert envelope.chain == LEAF.chain_der
    assert statement.algorithm == "MLDSA65-ECDSA-P256-SHA512"
    assert statement.signer == hashlib.sha256(LEAF.chain_der[0]).digest()
    assert statement.content == hashlib.sha512(b"weights").digest()
    assert statement.size == 7
    assert statement.time == AT.replace(microsecond=0)
    halves = BY_NAME[statement.algorithm].halves
    assert all(halves(LEAF.key.public_key(), envelope.signature, statement.write()).values())


def test_files_streams_and_bytes_are_signed_alike(tmp_path):
    path = tmp_path / "weights"
    path.write_bytes(b"weights")

    assert signed(path).statement == signed(io.BytesIO(b"weights")).statement == signed().statement


def test_the_time_is_now_where_none_is_given():
    before = datetime.now(UTC).replace(microsecond=0)
    statement = Envelope.read(sign(b"", LEAF.key, LEAF.chain_der)).statement
    assert before <= statement.time <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("kind", "weakest"),
    [
        ("mldsa87-ecdsa-p384", Authentication.HYBRID),
        ("mldsa65", Authentication.POST_QUANTUM),
        ("ecdsa-p256", Authentication.ANY),
    ],
)
def test_weaker_keys_sign_only_when_they_are_permitted(kind, weakest):
    leaf = pki.root(kind).issue(uris=("spiffe://corp/publisher",))
    demands = list(Authentication)
    for demand in demands[: demands.index(weakest)]:
        assert f"of type {kind} makes no {demand} signature" in refusal_of(
            leaf.key, leaf.chain_der, authentication=demand
        )
    for demand in demands[demands.index(weakest) :]:
        assert signed(leaf=leaf, authentication=demand).chain == leaf.chain_der


def test_an_rsa_key_signs_nothing():
    leaf = pki.root("rsa-2048").issue()
    said = refusal_of(leaf.key, leaf.chain_der, authentication=Authentication.ANY)
    assert "a key of type rsa signs no content" in said


def test_key_and_chain_must_belong_together():
    other = pki.root(HYBRID).issue(name="other")

    assert "does not belong to the certificate" in refusal_of(LEAF.key, other.chain_der)
    assert "leaf first" in refusal_of(LEAF.key, LEAF.chain_der[::-1])
    assert "0 certificates" in refusal_of(LEAF.key, ())
    assert "7 certificates" in refusal_of(LEAF.key, LEAF.chain_der[:1] * 7)
    assert "does not parse" in refusal_of(LEAF.key, (b"no certificate",))


def test_a_signature_too_large_to_be_read_is_not_made():
    padding = (os.urandom(50_000),)
    with pytest.raises(SigningError, match="larger than the 65536 bytes"):
        sign(b"", LEAF.key, LEAF.chain_der + padding)
