import pytest

from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.tls.schemes import CHAIN_SCHEMES, HANDSHAKE_SCHEMES, SCHEMES
from tests.support.loopback import PROVIDER

MOVED = SCHEMES.with_code_points({"mldsa65-ecdsa-p256": 0xFE90})


def made_by(key, schemes, table=SCHEMES):
    return [row.scheme for row in table.for_key(key, schemes)]


def test_schemes_of_a_key_come_in_the_order_of_the_peer():
    assert made_by("rsa", (0x0401, 0x0805, 0x0A0A, 0x0403, 0x0804)) == [0x0805, 0x0804]
    assert made_by("mldsa65", HANDSHAKE_SCHEMES) == [0x0905]
    assert made_by("unsupported", CHAIN_SCHEMES) == []


def test_every_scheme_has_its_algorithm_in_the_provider():
    assert {row.algorithm for row in SCHEMES.rows()} <= set(PROVIDER.signatures)


def test_every_composite_algorithm_has_a_scheme_that_a_handshake_may_use():
    composite = {each.key_algorithm for each in COMPOSITES}

    assert len(SCHEMES.handshake_schemes(composite)) == len(COMPOSITES)


def test_a_demand_leaves_the_schemes_of_its_keys_alone():
    """What is not offered cannot be agreed on: neither in the handshake nor in a chain."""
    keys = frozenset({"mldsa65", "rsa"})

    assert SCHEMES.handshake_schemes(keys) == (0x0905, 0x0804, 0x0805)
    assert SCHEMES.chain_schemes(keys) == (0x0905, 0x0804, 0x0805, 0x0401, 0x0501, 0x0601)
    assert SCHEMES.handshake_schemes() == HANDSHAKE_SCHEMES
    assert not set(HANDSHAKE_SCHEMES) & {0x0401, 0x0501, 0x0601}


@pytest.mark.parametrize(
    ("scheme", "name"),
    [
        (0x0403, "ecdsa_secp256r1_sha256"),
        (0xFE45, "mldsa65_ecdsa_p256"),
        (0x0807, "ed25519"),
        (0x1A1A, "0x1a1a"),
    ],
)
def test_a_scheme_is_named_or_numbered(scheme, name):
    assert SCHEMES.name(scheme) == name


def test_another_number_moves_a_scheme_and_leaves_nothing_behind():
    """The old number means nothing then: a peer that still uses it is seen by number."""
    assert MOVED.name(0xFE90) == "mldsa65_ecdsa_p256"
    assert MOVED.name(0xFE45) == "0xfe45"
    assert made_by("mldsa65-ecdsa-p256", (0xFE45, 0xFE90), MOVED) == [0xFE90]
    assert [row.name for row in MOVED.rows()] == [row.name for row in SCHEMES.rows()]


def test_schemes_may_trade_their_numbers():
    traded = SCHEMES.with_code_points({"mldsa65-ecdsa-p256": 0xFE49, "mldsa87-ecdsa-p384": 0xFE45})

    assert traded.name(0xFE49) == "mldsa65_ecdsa_p256"
    assert traded.name(0xFE45) == "mldsa87_ecdsa_p384"
    assert len(traded.rows()) == len(SCHEMES.rows())
