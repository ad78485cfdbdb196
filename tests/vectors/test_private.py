"""The known answer for our private group: shares and secret byte for byte, in both roles."""

import json
from io import BytesIO

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM1024PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from pqproxy.crypto import Encapsulation
from pqproxy.tls import NamedGroup
from pqproxy.tls.key_exchange import KeyExchanges
from tests.support.providers import CHOICES, provider_or_skip
from tests.vectors.hybrid_replay import told_provider
from tests.vectors.record_private import PATH

ANSWER = json.loads(PATH.read_text())


def known(name):
    return bytes.fromhex(ANSWER[name])


@pytest.fixture(params=CHOICES)
def exchange(request):
    """The group by each provider, its encapsulation told."""
    told = told_provider(
        provider_or_skip(request.param),
        encapsulate=lambda *_: Encapsulation(*map(bytes.fromhex, ANSWER["encapsulation"])),
        sign=None,
    )
    return KeyExchanges(told)[NamedGroup[ANSWER["group"]]]


def test_our_client_makes_the_share_and_finds_the_secret(exchange):
    entropy = BytesIO(known("client_entropy"))
    share = exchange.offer(entropy.read)

    assert share.key_exchange == known("client_share")
    assert share.complete(known("server_share")).expose() == known("shared_secret")
    assert not entropy.read()


def test_our_server_makes_the_answer_and_the_secret(exchange):
    answer = exchange.respond(known("client_share"), BytesIO(known("server_entropy")).read)

    assert answer.key_exchange == known("server_share")
    assert answer.shared_secret.expose() == known("shared_secret")


def test_the_answer_is_what_its_origin_says():
    """The file judged by the library: ML-KEM first, 32 bytes of X25519 last, nothing between."""
    entropy, answer = known("client_entropy"), known("server_share")
    kem = MLKEM1024PrivateKey.from_seed_bytes(entropy[:64])
    curve = X25519PrivateKey.from_private_bytes(entropy[64:])
    point = X25519PublicKey.from_public_bytes(answer[1568:])
    share = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()

    assert known("client_share") == share
    assert known("shared_secret") == kem.decapsulate(answer[:1568]) + curve.exchange(point)
    assert (len(share), len(answer)) == (1600, 1600)
    # The secret of RFC 7748 §6.1.
    assert known("shared_secret")[32:].hex() == (
        "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    )
