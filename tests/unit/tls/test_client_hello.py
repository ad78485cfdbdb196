import itertools

import pytest

from pqproxy import tls
from pqproxy.tls.client_hello import ClientContext, ClientOffer
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.extensions import (
    read_alpn,
    read_client_shares,
    read_cookie,
    read_server_name,
    read_single_uint16,
    read_uint16_list,
)
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_exchange import KeyExchanges
from pqproxy.tls.key_schedule import SUITES
from tests.support.loopback import PROVIDER

HYBRID, X25519, P256 = (
    tls.NamedGroup.X25519MLKEM768,
    tls.NamedGroup.x25519,
    tls.NamedGroup.secp256r1,
)

SUITE = SUITES[tls.CipherSuite.TLS_AES_256_GCM_SHA384]


def context(**config):
    counter = itertools.count(1)
    return ClientContext(
        tls.ClientConfig(PROVIDER, **config),
        KeyExchanges(PROVIDER),
        lambda length: bytes([next(counter)]) * length,
    )


def offered(**config):
    return ClientOffer.make(context(**config)).hello


def test_a_hello_looks_like_one_of_tls_1_2():
    hello = offered()

    assert hello.legacy_version == 0x0303
    assert hello.legacy_compression_methods == b"\0"
    assert len(hello.legacy_session_id) == 32  # compatibility mode


def test_random_and_session_id_come_from_the_entropy_and_differ():
    hello = offered(key_shares=(X25519,), groups=(X25519,))

    assert (hello.random, hello.legacy_session_id) == (b"\2" * 32, b"\3" * 32)


def test_only_tls_1_3_is_offered():
    data = offered().extensions[ExtensionType.SUPPORTED_VERSIONS]

    assert read_uint16_list(data, "supported_versions", prefix=1) == (0x0304,)


def test_groups_suites_and_schemes_are_those_of_the_configuration_in_order():
    hello = offered(
        groups=(P256, HYBRID), signature_schemes=(0x0905, 0x0403), cipher_suites=(0x1301,)
    )

    def listed(extension):
        return read_uint16_list(hello.extensions[extension], "x")

    assert listed(ExtensionType.SUPPORTED_GROUPS) == (P256, HYBRID)
    assert listed(ExtensionType.SIGNATURE_ALGORITHMS) == (0x0905, 0x0403)
    assert 0x0401 in listed(ExtensionType.SIGNATURE_ALGORITHMS_CERT)
    assert hello.cipher_suites == (0x1301,)


def test_there_is_one_fresh_share_for_each_group_asked_for():
    offer = ClientOffer.make(context(groups=(HYBRID, X25519), key_shares=(HYBRID, X25519)))
    shares = read_client_shares(offer.hello.extensions[ExtensionType.KEY_SHARE])

    assert [(share.group, len(share.key_exchange)) for share in shares] == [
        (HYBRID, 1216),
        (X25519, 32),
    ]
    assert set(offer.shares) == {HYBRID, X25519}
    assert shares[0].key_exchange[1184:] != shares[1].key_exchange


def test_name_and_protocols_stand_there_only_if_there_are_any():
    bare, full = offered(), offered(server_name="llm.test", alpn_protocols=(b"h2", b"x"))
    name, alpn = ExtensionType.SERVER_NAME, ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION

    assert not {name, alpn} & set(bare.extensions)
    assert read_server_name(full.extensions[name]) == "llm.test"
    assert read_alpn(full.extensions[alpn]) == (b"h2", b"x")


def test_the_size_of_our_records_is_announced():
    data = offered().extensions[ExtensionType.RECORD_SIZE_LIMIT]

    assert read_single_uint16(data, "record_size_limit") == 2**14 + 1


def test_no_resumption_and_no_early_data_is_offered():
    unwanted = {
        ExtensionType.PRE_SHARED_KEY,
        ExtensionType.EARLY_DATA,
        ExtensionType.POST_HANDSHAKE_AUTH,
        ExtensionType.COMPRESS_CERTIFICATE,
    }

    assert not unwanted & set(offered().extensions)


def test_a_client_with_a_clock_says_that_it_can_use_tickets_and_how():
    """With a key exchange beside them (psk_dhe_ke), and in no other way."""
    extensions = offered(clock=lambda: 0.0).extensions

    assert extensions[ExtensionType.PSK_KEY_EXCHANGE_MODES] == b"\1\1"
    assert ExtensionType.PRE_SHARED_KEY not in extensions
    assert ExtensionType.PSK_KEY_EXCHANGE_MODES not in offered().extensions


@pytest.mark.parametrize(("group", "cookie"), [(X25519, None), (X25519, b"c"), (None, b"c")])
def test_a_second_hello_changes_share_and_cookie_and_nothing_else(group, cookie):
    made = context(groups=(HYBRID, X25519))
    first = ClientOffer.make(made)
    again = first.again(made, Transcript(SUITE), group, cookie)
    before, after = dict(first.hello.extensions), dict(again.hello.extensions)
    share_before, share_after = (
        before.pop(ExtensionType.KEY_SHARE),
        after.pop(ExtensionType.KEY_SHARE),
    )
    given = after.pop(ExtensionType.COOKIE, None)

    assert after == before
    assert (None if given is None else read_cookie(given)) == cookie
    if group is None:
        assert share_after == share_before
        assert again.shares is first.shares
    else:
        assert [share.group for share in read_client_shares(share_after)] == [group]
        assert set(again.shares) == {group}
    for field in ("random", "legacy_session_id", "cipher_suites", "legacy_version"):
        assert getattr(again.hello, field) == getattr(first.hello, field)
