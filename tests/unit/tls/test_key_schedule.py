"""The values of the standard's traces are checked in tests/vectors/test_rfc8448.py."""

import hashlib
import hmac

import pytest

from pqproxy.tls.codepoints import CipherSuite
from pqproxy.tls.key_schedule import (
    SUITES,
    EarlySecret,
    derive_secret,
    finished_verify_data,
    hkdf_expand_label,
    hkdf_extract,
    next_application_traffic_secret,
    traffic_keys,
)
from pqproxy.tls.secrets import Secret

AES_128 = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
AES_256 = SUITES[CipherSuite.TLS_AES_256_GCM_SHA384]
BOTH = pytest.mark.parametrize("suite", [AES_128, AES_256], ids=lambda s: s.hash_name)


def expand_by_hand(suite, secret, label, context, length):
    """HKDF-Expand-Label as the standard writes it, from HMAC alone."""
    full = b"tls13 " + label
    info = length.to_bytes(2, "big") + bytes([len(full)]) + full + bytes([len(context)]) + context
    block, out, counter = b"", b"", 1
    while len(out) < length:
        block = hmac.digest(secret, block + info + bytes([counter]), suite.hash_name)
        out, counter = out + block, counter + 1
    return out[:length]


@BOTH
@pytest.mark.parametrize("length", [1, 12, 16, 32])
def test_expand_label_is_what_the_standard_writes(suite, length):
    secret, context = bytes(range(suite.hash_length)), b"context"

    assert hkdf_expand_label(suite, Secret(secret), b"key", context, length) == (
        expand_by_hand(suite, secret, b"key", context, length)
    )


@BOTH
def test_expand_label_refuses_more_than_it_can_make(suite):
    secret = Secret(bytes(suite.hash_length))
    longest = hkdf_expand_label(suite, secret, b"key", b"", suite.hash_length)

    assert longest == expand_by_hand(suite, secret.expose(), b"key", b"", suite.hash_length)
    with pytest.raises(ValueError, match="longer than a hash"):
        hkdf_expand_label(suite, secret, b"key", b"", suite.hash_length + 1)


@BOTH
def test_extract_is_hmac_keyed_by_the_salt(suite):
    assert hkdf_extract(suite, b"salt", b"ikm").expose() == (
        hmac.new(b"salt", b"ikm", suite.hash_name).digest()
    )


def test_suites_fix_hash_and_key_length():
    assert (AES_128.hash_length, AES_128.key_length) == (32, 16)
    assert (AES_256.hash_length, AES_256.key_length) == (48, 32)
    assert AES_256.digest(b"x") == hashlib.sha384(b"x").digest()


@BOTH
def test_traffic_keys_fit_the_suite(suite):
    keys = traffic_keys(suite, Secret(bytes(suite.hash_length)))

    assert (len(keys.key), len(keys.iv)) == (suite.key_length, 12)
    assert "key=" not in repr(keys)


@BOTH
def test_every_stage_and_label_gives_another_secret(suite):
    """A label written twice would make two secrets one."""
    handshake = EarlySecret.without_psk(suite).handshake_secret(Secret(b"shared"))
    main, digest = handshake.main_secret(), suite.digest(b"transcript")
    secrets = {
        handshake.client_handshake_traffic_secret(digest).expose(),
        handshake.server_handshake_traffic_secret(digest).expose(),
        main.client_application_traffic_secret_0(digest).expose(),
        main.server_application_traffic_secret_0(digest).expose(),
        main.exporter_secret(digest).expose(),
        main.resumption_secret(digest).expose(),
    }

    assert len(secrets) == 6
    assert {len(secret) for secret in secrets} == {suite.hash_length}


def test_both_halves_of_a_hybrid_secret_count():
    early = EarlySecret.without_psk(AES_256)
    secrets = [b"A" * 32 + b"B" * 32, b"A" * 32 + b"C" * 32, b"C" * 32 + b"B" * 32]

    assert len({early.handshake_secret(Secret(s)).secret.expose() for s in secrets}) == 3


def test_a_traffic_secret_depends_on_the_transcript():
    handshake = EarlySecret.without_psk(AES_128).handshake_secret(Secret(b"shared"))

    assert handshake.client_handshake_traffic_secret(bytes(32)) != (
        handshake.client_handshake_traffic_secret(b"\1" + bytes(31))
    )


@BOTH
def test_the_next_traffic_secret_is_another_one_every_time(suite):
    generations = [Secret(bytes(suite.hash_length))]
    for _ in range(3):
        generations.append(next_application_traffic_secret(suite, generations[-1]))

    assert len({secret.expose() for secret in generations}) == 4
    expected = expand_by_hand(
        suite, generations[0].expose(), b"traffic upd", b"", suite.hash_length
    )
    assert generations[1].expose() == expected


@BOTH
def test_verify_data_is_a_mac_of_the_transcript(suite):
    base, digest = Secret(bytes(suite.hash_length)), suite.digest(b"transcript")
    key = expand_by_hand(suite, base.expose(), b"finished", b"", suite.hash_length)

    assert finished_verify_data(suite, base, digest) == hmac.digest(key, digest, suite.hash_name)


def test_stages_do_not_print_their_secrets():
    early = EarlySecret.without_psk(AES_128)

    assert early.secret.expose().hex() not in repr(early)
    assert "Secret(32 bytes)" in repr(early)
    assert "Secret(32 bytes)" in repr(derive_secret(AES_128, early.secret, b"derived", bytes(32)))
