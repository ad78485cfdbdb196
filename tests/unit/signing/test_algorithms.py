import pytest

from pqproxy.crypto import InvalidSignature, load_provider
from pqproxy.signing.algorithms import BY_KEY, BY_NAME
from tests.support import pki

STATEMENT = b"a statement"
COMPOSITE = {name: each for name, each in BY_NAME.items() if name.startswith("MLDSA")}


@pytest.fixture(params=BY_NAME.values(), ids=lambda each: each.name)
def algorithm(request):
    return request.param


def test_the_names_are_those_of_the_document():
    assert {each.name: kind for kind, each in BY_KEY.items()} == {
        "MLDSA65-ECDSA-P256-SHA512": "mldsa65-ecdsa-p256",
        "MLDSA87-ECDSA-P384-SHA512": "mldsa87-ecdsa-p384",
        "MLDSA65-Ed25519-SHA512": "mldsa65-ed25519",
        "MLDSA44-ECDSA-P256-SHA256": "mldsa44-ecdsa-p256",
        "ML-DSA-44": "mldsa44",
        "ML-DSA-65": "mldsa65",
        "ML-DSA-87": "mldsa87",
        "ECDSA-P256-SHA256": "ecdsa-p256",
        "ECDSA-P384-SHA384": "ecdsa-p384",
    }


def test_what_is_signed_verifies_and_nothing_else_does(algorithm):
    key, other = (pki.key(algorithm.key_algorithm, label) for label in ("leaf", "other"))
    made = algorithm.sign(key, STATEMENT)

    assert all(algorithm.halves(key.public_key(), made, STATEMENT).values())
    assert not any(algorithm.halves(key.public_key(), made, b"another").values())
    assert not any(algorithm.halves(key.public_key(), b"", STATEMENT).values())
    assert not any(algorithm.halves(other.public_key(), made, STATEMENT).values())


def test_each_half_of_a_composite_is_reported(algorithm):
    key = pki.key(algorithm.key_algorithm)
    found = algorithm.halves(key.public_key(), algorithm.sign(key, STATEMENT), STATEMENT)

    assert len(found) == (2 if algorithm.name in COMPOSITE else 1)


@pytest.mark.parametrize("name", COMPOSITE)
@pytest.mark.parametrize(("position", "verdicts"), [(0, [False, True]), (-1, [True, False])])
def test_the_bad_half_is_the_one_that_is_found_bad(name, position, verdicts):
    algorithm = BY_NAME[name]
    key = pki.key(algorithm.key_algorithm)
    made = bytearray(algorithm.sign(key, STATEMENT))
    made[position] ^= 1

    assert list(algorithm.halves(key.public_key(), bytes(made), STATEMENT).values()) == verdicts


@pytest.mark.parametrize("name", COMPOSITE)
def test_halves_of_signatures_of_two_statements_do_not_mix(name):
    """Each is found to be good for its own statement, and neither statement gets both."""
    algorithm = BY_NAME[name]
    key = pki.key(algorithm.key_algorithm)
    cut = key.algorithm.ml_dsa.signature_length
    one, other = algorithm.sign(key, b"one"), algorithm.sign(key, b"other")

    for statement, verdicts in ((b"one", [True, False]), (b"other", [False, True])):
        found = algorithm.halves(key.public_key(), one[:cut] + other[cut:], statement)
        assert list(found.values()) == verdicts


CONTEXTUAL = [name for name in BY_NAME if not name.startswith("ECDSA")]


@pytest.mark.parametrize("name", CONTEXTUAL)
def test_a_handshake_s_signature_is_none_of_a_statement_and_the_reverse(name):
    """The same key proves who we are to peers, and certifies as an authority: even of one and the
    same bytes neither signature may pass for the other.

    ECDSA knows no contexts: there the statement's first bytes do this, see test_statement.
    """
    algorithm, elsewhere = BY_NAME[name], load_provider().signatures[name]
    key = pki.key(algorithm.key_algorithm)

    assert not any(
        algorithm.halves(key.public_key(), elsewhere.sign(key, STATEMENT), STATEMENT).values()
    )
    with pytest.raises(InvalidSignature):
        elsewhere.verify(key.public_key(), algorithm.sign(key, STATEMENT), STATEMENT)


def test_one_context_for_all_that_know_contexts():
    """Fixed: a signature of today verifies with the document of today."""
    key = pki.key("mldsa65")
    made = BY_NAME["ML-DSA-65"].sign(key, STATEMENT)

    key.public_key().verify(made, STATEMENT, b"pqproxy-signature/1")
