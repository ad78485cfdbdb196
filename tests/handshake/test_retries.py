"""HelloRetryRequest: once, to what was offered, and nothing else changes."""

import pytest

from pqproxy.tls.codepoints import ExtensionType as Ext
from pqproxy.tls.codepoints import NamedGroup
from pqproxy.tls.extensions import write_alpn, write_server_name, write_uint16_list
from pqproxy.tls.messages import ClientHello
from tests.handshake.deviations.scenes import HANDSHAKE, hello, hellos
from tests.support.deviation import Scene, assert_inert
from tests.support.hostile import leaf
from tests.support.loopback import Endpoint, pump
from tests.support.playbook import (
    PEER_KEY,
    RETRY_RANDOM,
    client_hello,
    public,
    server_hello,
    shares,
)

HYBRID, X25519, P256 = NamedGroup.X25519MLKEM768, NamedGroup.x25519, NamedGroup.secp256r1
OTHERS = (NamedGroup.SecP256r1MLKEM768, NamedGroup.SecP384r1MLKEM1024, NamedGroup.X25519MLKEM1024)
ALL = (HYBRID, *OTHERS, X25519, P256)
ILLEGAL_PARAMETER, UNEXPECTED_MESSAGE = 47, 10
ALPN = Ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION
SHARE = {Ext.KEY_SHARE: shares((X25519, public(PEER_KEY)))}


def assert_alert(scene, alert):
    assert scene.failure.alert == alert
    assert scene.alerts == [(2, alert)]
    assert_inert(scene.subject.connection)


def asked_again(scene, extensions, **fields):
    """A client that hears a HelloRetryRequest; returns its second hello."""
    first = scene.hear()
    values = {"legacy_session_id_echo": bytes(first[44:76]), "random": RETRY_RANDOM, **fields}
    before = len(scene.said)
    scene.says_plainly(HANDSHAKE, server_hello(extensions, **values).message().encode())
    return bytes(scene.said[before:])


@pytest.mark.parametrize("group", ALL, ids=lambda g: g.name)
def test_every_group_can_be_asked_for(group):
    client = Endpoint.client(groups=ALL, key_shares=(P256 if group != P256 else X25519,))
    server = Endpoint.server(leaf(), groups=(group,))
    pump(client, server)

    assert client.negotiated.group == server.negotiated.group == group
    assert client.negotiated.hello_retry
    assert server.negotiated.hello_retry


def test_a_client_without_any_share_is_asked_for_one():
    client = Endpoint.client(groups=(HYBRID,), key_shares=())
    server = Endpoint.server(leaf(), groups=(HYBRID,))
    pump(client, server)

    assert client.negotiated.hello_retry


def test_the_record_of_the_second_hello_says_tls_1_2_and_follows_the_compatibility_record():
    scene = Scene("client", ours={"groups": (X25519, P256), "key_shares": (X25519,)})

    second = asked_again(scene, {Ext.KEY_SHARE: b"\0\x17"})

    assert scene.said[:3] == b"\x16\3\1"
    assert second[:6] == b"\x14\3\3\0\1\1"
    assert second[6:9] == b"\x16\3\3"


@pytest.mark.parametrize("behind", [1, None])
def test_what_is_packed_behind_a_retry_is_refused_before_the_second_hello(behind):
    """A server that answers a hello before it was sent cannot have read it."""
    scene = Scene("client", ours={"groups": (X25519, P256), "key_shares": (P256,)})
    echo = {"legacy_session_id_echo": bytes(scene.hear()[44:76])}
    retry = server_hello({Ext.KEY_SHARE: b"\0\x1d"}, random=RETRY_RANDOM, **echo)
    answer = server_hello(**echo).message().encode()

    scene.says_plainly(HANDSHAKE, retry.message().encode() + answer[:behind])

    assert_alert(scene, UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("cookie", [b"c", bytes(16_000)])
def test_a_cookie_is_echoed_with_the_new_share(cookie):
    scene = Scene("client", ours={"groups": (X25519, P256), "key_shares": (X25519,)})
    data = len(cookie).to_bytes(2, "big") + cookie

    asked = {Ext.KEY_SHARE: b"\0\x17", Ext.COOKIE: data}
    asked_again(scene, asked)

    assert scene.failure is None
    hello_body = b"".join(c for kind, c in scene.contents if kind == HANDSHAKE)
    end_of_first = 4 + int.from_bytes(hello_body[1:4], "big")
    again = ClientHello.read(hello_body[end_of_first + 4 :])
    assert again.extensions[Ext.COOKIE] == data


def test_no_cookie_no_cookie():
    scene = Scene("client", ours={"groups": (X25519, P256), "key_shares": (X25519,)})
    second = asked_again(scene, {Ext.KEY_SHARE: b"\0\x17"})

    assert Ext.COOKIE not in ClientHello.read(second[6 + 5 + 4 :]).extensions


@pytest.mark.parametrize("group", [X25519, NamedGroup.secp384r1, HYBRID, 0x4A4A, 0])
def test_a_client_never_goes_where_it_did_not_offer_to(group):
    scene = Scene("client", ours={"groups": (X25519, P256), "key_shares": (X25519,)})
    asked_again(scene, {Ext.KEY_SHARE: int(group).to_bytes(2, "big")})

    assert_alert(scene, ILLEGAL_PARAMETER)


def test_post_quantum_only_stays_post_quantum_only():
    """A retry cannot talk a client into a classical group that it does not offer."""
    scene = Scene("client", ours={"groups": (HYBRID,)})
    asked_again(scene, {Ext.KEY_SHARE: b"\0\x1d"})

    assert_alert(scene, ILLEGAL_PARAMETER)


def test_a_server_asks_once():
    """After its retry a share is there or the handshake is over."""
    scene = hellos({Ext.KEY_SHARE: shares()})

    assert_alert(scene, ILLEGAL_PARAMETER)
    retries = [c for kind, c in scene.contents if kind == HANDSHAKE]
    assert len(retries) == 1


def test_an_honest_second_hello_is_answered():
    scene = hellos(SHARE)

    assert scene.failure is None
    assert [content[0] for kind, content in scene.contents if kind == HANDSHAKE][:2] == [2, 2]


EXTRA = {
    Ext.SERVER_NAME: write_server_name("llm.test"),
    ALPN: write_alpn((b"http/1.1",)),
    Ext.RECORD_SIZE_LIMIT: b"\x40\x01",
    Ext.SIGNATURE_ALGORITHMS_CERT: b"\0\2\4\3",
}


@pytest.mark.parametrize(
    "changes",
    [
        {"random": bytes(32)},
        {"legacy_session_id": b""},
        {"cipher_suites": (0x1301, 0x1302)},
        {"extensions": {Ext.SUPPORTED_GROUPS: write_uint16_list((X25519, P256))}},
        {"extensions": {Ext.SIGNATURE_ALGORITHMS: b"\0\4\4\3\5\3"}},
        {"extensions": {Ext.SUPPORTED_VERSIONS: b"\4\3\4\3\3"}},
        {"extensions": {Ext.PSK_KEY_EXCHANGE_MODES: b"\1\1"}},
        {"extensions": {Ext.EARLY_DATA: b""}},
        *({"extensions": {kind: None}} for kind in EXTRA),
        {"extensions": {Ext.SERVER_NAME: write_server_name("other.test")}},
        {"extensions": {ALPN: write_alpn((b"h2",))}},
        {"extensions": {Ext.RECORD_SIZE_LIMIT: b"\x40\x00"}},
    ],
    ids=str,
)
def test_a_second_hello_that_changes_anything_else_is_refused(changes):
    """Whoever stands between could otherwise have one hello checked and another one served."""
    changes = dict(changes)
    again = {**EXTRA, **changes.pop("extensions", {})}
    scene = hellos({**again}, EXTRA, **changes)

    assert_alert(scene, ILLEGAL_PARAMETER)


@pytest.mark.parametrize("length", [31, 33])
def test_the_share_that_was_asked_for_must_be_sound(length):
    assert_alert(hellos({Ext.KEY_SHARE: shares((X25519, b"\t" * length))}), ILLEGAL_PARAMETER)


def test_a_third_hello_is_not_expected():
    scene = hellos(SHARE)
    scene.says(HANDSHAKE, b"\1\0\0\0")

    assert_alert(scene, UNEXPECTED_MESSAGE)


def test_nothing_follows_a_hello_that_is_to_be_sent_again():
    """Whoever packs a second hello behind the first has not seen what it answers."""
    scene = Scene("server", ours={"groups": (X25519,)})
    first = client_hello({Ext.KEY_SHARE: shares()}).message().encode()
    scene.says_plainly(HANDSHAKE, first + b"\1")

    assert_alert(scene, UNEXPECTED_MESSAGE)


def test_something_else_than_a_second_hello_is_not_expected():
    scene = hello({Ext.KEY_SHARE: shares()})
    scene.says_plainly(HANDSHAKE, b"\x14\0\0\x30" + bytes(48))

    assert_alert(scene, UNEXPECTED_MESSAGE)


def test_a_retry_that_somebody_in_between_made_up_is_found_out():
    """The transcript holds the retry, so a server that never sent one agrees on other keys."""
    client = Endpoint.client(groups=(X25519, P256), key_shares=(X25519,))
    first = client.take()
    retry = server_hello(
        {Ext.KEY_SHARE: b"\0\x17"},
        random=RETRY_RANDOM,
        legacy_session_id_echo=bytes(first[44:76]),
    ).message()
    client.feed(b"\x16\3\3" + len(retry.encode()).to_bytes(2, "big") + retry.encode())
    server = Endpoint.server(leaf(), groups=(P256,))
    server.feed(client.take()[6:])  # the second hello as if it were the first
    client.feed(server.take())

    assert client.failure.alert == 20
    assert not client.handshake_complete
