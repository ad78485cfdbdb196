import itertools

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, mlkem
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import NamedGroup
from pqproxy.tls.config import ClientConfig, ServerConfig
from pqproxy.tls.key_exchange import (
    CLASSICAL_GROUPS,
    HYBRID_GROUPS,
    PRIVATE_GROUPS,
    KeyExchanges,
    is_post_quantum,
)
from tests.support.loopback import PROVIDER

EXCHANGES = KeyExchanges(PROVIDER)
ALL_GROUPS = [*HYBRID_GROUPS, *PRIVATE_GROUPS, *CLASSICAL_GROUPS]
every_group = pytest.mark.parametrize("group", ALL_GROUPS, ids=lambda g: g.name)

# group: client share, server share, secret (RFC 10024; the private one by analogy)
LENGTHS = {
    NamedGroup.X25519MLKEM768: (1216, 1120, 64),
    NamedGroup.SecP256r1MLKEM768: (1249, 1153, 64),
    NamedGroup.SecP384r1MLKEM1024: (1665, 1665, 80),
    NamedGroup.X25519MLKEM1024: (1600, 1600, 64),
    NamedGroup.x25519: (32, 32, 32),
    NamedGroup.secp256r1: (65, 65, 32),
    NamedGroup.secp384r1: (97, 97, 48),
}
LOW_ORDER_POINTS = [  # u-coordinates on which every X25519 ends in zero
    bytes(32),
    b"\1" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    bytes.fromhex("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
]


def entropy():
    """Bytes that differ from call to call, the same in every run."""
    counter = itertools.count(1)
    return lambda length: bytes([next(counter)]) * length


def refused(call):
    with pytest.raises(FatalAlert) as caught:
        call()
    assert caught.value.description is AlertDescription.ILLEGAL_PARAMETER
    return caught.value.reason


@every_group
def test_both_sides_agree_and_shares_have_the_standard_lengths(group):
    exchange, source = EXCHANGES[group], entropy()
    client = exchange.offer(source)
    server = exchange.respond(client.key_exchange, source)
    secret = client.complete(server.key_exchange)

    assert secret == server.shared_secret
    lengths = len(client.key_exchange), len(server.key_exchange), len(secret.expose())
    assert lengths == LENGTHS[group]
    assert (exchange.client_share_length, exchange.server_share_length) == lengths[:2]


@every_group
def test_no_share_is_used_twice(group):
    source = entropy()

    assert (
        EXCHANGES[group].offer(source).key_exchange != EXCHANGES[group].offer(source).key_exchange
    )


@every_group
@pytest.mark.parametrize(
    "change", [lambda s: s[:-1], lambda s: s + b"\0", lambda s: b"", lambda s: s * 2]
)
def test_a_share_of_another_length_is_refused_before_any_cryptography(group, change):
    exchange, source = EXCHANGES[group], entropy()
    client = exchange.offer(source)
    server = exchange.respond(client.key_exchange, source)

    assert "bytes, wants" in refused(lambda: exchange.respond(change(client.key_exchange), None))
    assert "bytes, wants" in refused(lambda: client.complete(change(server.key_exchange)))


@pytest.mark.parametrize(
    ("group", "kem", "length"),
    [
        (NamedGroup.X25519MLKEM768, mlkem.MLKEM768PrivateKey, 1088),
        (NamedGroup.X25519MLKEM1024, mlkem.MLKEM1024PrivateKey, 1568),
    ],
)
def test_ml_kem_comes_first_with_x25519(group, kem, length):
    """The witness is the library: its ML-KEM and its X25519, put together by hand."""
    kem, curve = kem.generate(), X25519PrivateKey.generate()
    share = kem.public_key().public_bytes_raw() + curve.public_key().public_bytes_raw()
    server = EXCHANGES[group].respond(share, entropy())
    point = X25519PublicKey.from_public_bytes(server.key_exchange[length:])

    expected = kem.decapsulate(server.key_exchange[:length]) + curve.exchange(point)
    assert server.shared_secret.expose() == expected


@pytest.mark.parametrize(
    ("group", "curve", "point_length", "kem"),
    [
        (NamedGroup.SecP256r1MLKEM768, ec.SECP256R1(), 65, mlkem.MLKEM768PrivateKey),
        (NamedGroup.SecP384r1MLKEM1024, ec.SECP384R1(), 97, mlkem.MLKEM1024PrivateKey),
    ],
)
def test_the_curve_comes_first_with_nist_curves(group, curve, point_length, kem):
    decapsulation, private = kem.generate(), ec.generate_private_key(curve)
    share = _point(private) + decapsulation.public_key().public_bytes_raw()
    server = EXCHANGES[group].respond(share, entropy())
    theirs = ec.EllipticCurvePublicKey.from_encoded_point(curve, server.key_exchange[:point_length])

    expected = private.exchange(ec.ECDH(), theirs) + decapsulation.decapsulate(
        server.key_exchange[point_length:]
    )
    assert server.shared_secret.expose() == expected


def _point(private, form=PublicFormat.UncompressedPoint):
    return private.public_key().public_bytes(Encoding.X962, form)


@pytest.mark.parametrize("point", LOW_ORDER_POINTS, ids=lambda p: p[:2].hex())
def test_an_all_zero_x25519_secret_is_refused_on_both_sides(point):
    exchange = EXCHANGES[NamedGroup.x25519]

    assert "all-zero" in refused(lambda: exchange.respond(point, entropy()))
    assert "all-zero" in refused(lambda: exchange.offer(entropy()).complete(point))


def test_an_all_zero_x25519_secret_is_refused_within_a_hybrid_too():
    exchange, source = EXCHANGES[NamedGroup.X25519MLKEM768], entropy()
    client = exchange.offer(source)
    server = exchange.respond(client.key_exchange, source)

    refused(lambda: exchange.respond(client.key_exchange[:1184] + bytes(32), source))
    refused(lambda: client.complete(server.key_exchange[:1088] + bytes(32)))


@pytest.mark.parametrize("group", [NamedGroup.secp256r1, NamedGroup.secp384r1])
@pytest.mark.parametrize("first_byte", [0, 2, 3, 5, 6, 7, 0xFF])
def test_only_uncompressed_points_are_taken(group, first_byte):
    """6 and 7 are the hybrid form, which has the length of an uncompressed point."""
    exchange, source = EXCHANGES[group], entropy()
    share = exchange.offer(source).key_exchange

    reason = refused(lambda: exchange.respond(bytes([first_byte]) + share[1:], source))
    assert "uncompressed" in reason


@pytest.mark.parametrize("group", [NamedGroup.secp256r1, NamedGroup.secp384r1])
def test_a_point_off_the_curve_is_refused(group):
    exchange, source = EXCHANGES[group], entropy()
    share = bytearray(exchange.offer(source).key_exchange)
    share[-1] ^= 1

    assert "not a point on the curve" in refused(lambda: exchange.respond(bytes(share), source))
    refused(lambda: exchange.respond(b"\4" + bytes(len(share) - 1), source))


def test_a_leading_zero_of_the_x_coordinate_is_kept():
    """A secret that lost a byte would differ from the peer's once in 256 connections."""
    exchange = EXCHANGES[NamedGroup.secp256r1]
    for attempt in itertools.count(1):
        client = exchange.offer(lambda n, a=attempt: a.to_bytes(n, "big"))
        server = exchange.respond(client.key_exchange, lambda n: b"\7" * n)
        if server.shared_secret.expose()[0] == 0:
            break

    assert len(client.complete(server.key_exchange).expose()) == 32


@pytest.mark.parametrize(
    ("group", "offset"),
    [
        (NamedGroup.X25519MLKEM768, 0),
        (NamedGroup.SecP256r1MLKEM768, 65),
        (NamedGroup.SecP384r1MLKEM1024, 97),
        (NamedGroup.X25519MLKEM1024, 0),
    ],
)
def test_an_encapsulation_key_with_a_coefficient_out_of_range_is_refused(group, offset):
    """FIPS 203 §7.2: twelve one bits are over q, so re-encoding would change the key."""
    exchange, source = EXCHANGES[group], entropy()
    share = bytearray(exchange.offer(source).key_exchange)
    share[offset : offset + 3] = b"\xff\xff\xff"

    assert "encapsulation key is invalid" in refused(lambda: exchange.respond(bytes(share), source))


def test_a_garbage_ciphertext_gives_another_secret_and_no_error():
    """Implicit rejection: an oracle would tell whether a ciphertext decrypts."""
    exchange, source = EXCHANGES[NamedGroup.X25519MLKEM768], entropy()
    client = exchange.offer(source)
    server = exchange.respond(client.key_exchange, source)
    garbage = bytes(1088) + server.key_exchange[1088:]

    secret = client.complete(garbage)
    assert secret != server.shared_secret
    assert secret == client.complete(garbage)
    assert secret.expose()[32:] == server.shared_secret.expose()[32:]


def test_only_hybrid_groups_count_as_post_quantum():
    assert all(map(is_post_quantum, [*HYBRID_GROUPS, *PRIVATE_GROUPS]))
    assert not any(map(is_post_quantum, [*CLASSICAL_GROUPS, 0x0A0A, 0x6399]))


def test_the_private_group_is_in_no_default():
    """It is spoken only where a configuration names it."""
    assert not {*PRIVATE_GROUPS} & {*HYBRID_GROUPS, *CLASSICAL_GROUPS}
    assert not {*PRIVATE_GROUPS} & {*ServerConfig((), PROVIDER).groups}
    assert not {*PRIVATE_GROUPS} & {*ClientConfig(PROVIDER).groups}


def test_a_group_that_we_do_not_speak_has_no_exchange():
    with pytest.raises(KeyError):
        EXCHANGES[0x0A0A]


def test_a_server_share_does_not_print_its_secret():
    server = EXCHANGES[NamedGroup.x25519].respond(
        X25519PrivateKey.generate().public_key().public_bytes_raw(), entropy()
    )

    assert server.shared_secret.expose().hex() not in repr(server)
    assert "Secret(32 bytes)" in repr(server)
