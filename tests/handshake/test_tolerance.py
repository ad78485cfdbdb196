"""What a server and a client must bear: everything unknown, in any number (§9.3, RFC 8701)."""

from dataclasses import replace

import pytest

from pqproxy.tls import NamedGroup
from pqproxy.tls.codepoints import ExtensionType as Ext
from pqproxy.tls.codepoints import HandshakeType as Type
from pqproxy.tls.config import ClientAuthentication
from pqproxy.tls.events import Failed
from pqproxy.tls.extensions import write_alpn, write_server_name, write_uint16_list
from pqproxy.tls.messages import CertificateRequest
from tests.handshake.deviations.scenes import HANDSHAKE, with_extensions
from tests.support.deviation import Scene
from tests.support.hostile import GROUPS, hello_in_records, leaf
from tests.support.hostile import with_extensions as extended
from tests.support.loopback import Endpoint, pump
from tests.support.playbook import share

GREASE = [0x0A0A + 0x1010 * n for n in range(16)]  # RFC 8701
HYBRID = NamedGroup.X25519MLKEM768
VERSIONS, SCHEMES, KEY_SHARE = (
    Ext.SUPPORTED_VERSIONS,
    Ext.SIGNATURE_ALGORITHMS,
    Ext.KEY_SHARE,
)
ALPN = Ext.APPLICATION_LAYER_PROTOCOL_NEGOTIATION


def client_saying(change, **config):
    """A client of ours with another hello, which it believes to be its own."""
    client = Endpoint.client(**{"groups": GROUPS, **config})
    connection = client.connection
    state = connection._state
    hello = change(state.offer.hello)
    connection._state = replace(state, offer=replace(state.offer, hello=hello))
    connection._output.take()
    return client, hello_in_records(hello)


def meets(change, server_config=None, **client_config):
    """The handshake of such a client with a server that is sound."""
    client, hello = client_saying(change, **client_config)
    groups = client_config.get("groups", GROUPS)
    server = Endpoint.server(leaf(), **{"groups": groups, **(server_config or {})})
    server.feed(hello)
    pump(client, server)
    return client, server


def completed(client, server):
    failures = [e.reason for e in client.events + server.events if isinstance(e, Failed)]
    assert failures == []
    return client.handshake_complete and server.handshake_complete


def greased(hello, code):
    """GREASE wherever a client may put it, first and last."""
    entries = share(code, b"\0") + hello.extensions[KEY_SHARE][2:]
    groups = (code, *GROUPS, code ^ 0x1010)
    schemes = write_uint16_list((code, 0x0403, code ^ 0x1010))
    changed = {
        code: b"",
        **hello.extensions,
        VERSIONS: write_uint16_list((code, 0x0304, 0x0303), prefix=1),
        Ext.SUPPORTED_GROUPS: write_uint16_list(groups),
        SCHEMES: schemes,
        Ext.SIGNATURE_ALGORITHMS_CERT: schemes,
        KEY_SHARE: len(entries).to_bytes(2, "big") + entries,
        ALPN: write_alpn((code.to_bytes(2, "big"), b"http/1.1")),
        Ext.PSK_KEY_EXCHANGE_MODES: b"\2\x0b\1",
        code ^ 0x1010: b"\0",
    }
    return replace(hello, cipher_suites=(code, 0x1301, code ^ 0x1010), extensions=changed)


@pytest.mark.parametrize("code", GREASE, ids=hex)
def test_grease_everywhere_changes_nothing(code):
    client, server = meets(
        lambda hello: greased(hello, code),
        {"alpn_protocols": (b"http/1.1",)},
        alpn_protocols=(b"http/1.1",),
    )

    assert completed(client, server)
    assert server.negotiated.alpn_protocol == b"http/1.1"
    assert server.connection.offer.supported_groups[0] == code


@pytest.mark.parametrize("count", [2, 1_000, 32_715])
def test_any_number_of_signature_schemes_is_borne(count):
    """Some clients list tens of thousands; ours stands last."""
    unknown = [0xE000 + n % 0x0F00 for n in range(count - 1)]
    listed = write_uint16_list((*unknown, 0x0403))

    client, server = meets(lambda hello: extended(hello, {SCHEMES: listed}))

    assert completed(client, server)


def test_as_many_groups_and_suites_as_a_list_can_hold_are_borne():
    unknown = tuple(0x4000 + n for n in range(20_000))
    groups = write_uint16_list((*unknown, *GROUPS))

    def crowded(hello):
        suites = (*unknown, 0x1301)
        return replace(extended(hello, {Ext.SUPPORTED_GROUPS: groups}), cipher_suites=suites)

    assert completed(*meets(crowded))


def test_duplicates_in_lists_are_borne():
    def doubled(hello):
        changes = {
            SCHEMES: write_uint16_list((0x0403,) * 9),
            Ext.SUPPORTED_GROUPS: write_uint16_list(GROUPS * 5),
            VERSIONS: write_uint16_list((0x0304,) * 7, prefix=1),
        }
        return replace(extended(hello, changes), cipher_suites=(0x1301,) * 40)

    assert completed(*meets(doubled))


@pytest.mark.parametrize("size", [1, 100, 16_000])
def test_a_hello_may_come_in_records_of_any_size(size):
    client = Endpoint.client(groups=(HYBRID,))
    client.take()
    hello = hello_in_records(client.connection._state.offer.hello, size)
    server = Endpoint.server(leaf(), groups=(HYBRID,))
    for start in range(0, len(hello), 7):
        server.feed(hello[start : start + 7])
    pump(client, server)

    assert completed(client, server)


def test_a_hello_over_16_kb_is_borne():
    client, server = meets(lambda h: extended(h, {0xFE0D: bytes(60_000)}))

    assert completed(client, server)


@pytest.mark.parametrize("name", ["llm.test", "xn--bcher-kva.example", "a" * 255, "10.0.0.1"])
def test_any_ascii_name_is_reported_and_none_is_refused(name):
    client, server = meets(lambda h: extended(h, {Ext.SERVER_NAME: write_server_name(name)}))

    assert completed(client, server)
    assert server.negotiated.server_name == name


@pytest.mark.parametrize("offered", [True, False])
def test_an_offer_to_resume_is_passed_over(offered):
    """Tickets of somebody else: a full handshake, and early data skipped until it is over."""
    identity = b"\0\6ticket\0\0\0\0"
    psk = len(identity).to_bytes(2, "big") + identity + b"\0\x21\x20" + bytes(32)

    def resuming(hello):
        early = {Ext.EARLY_DATA: b""} if offered else {}
        changes = {**early, Ext.PSK_KEY_EXCHANGE_MODES: b"\1\1", Ext.PRE_SHARED_KEY: psk}
        return extended(hello, changes)

    client, hello = client_saying(resuming)
    server = Endpoint.server(leaf(), groups=GROUPS)
    server.feed(hello)
    if offered:
        for size in (1, 40, 5_000):
            server.feed(b"\x17\3\3" + size.to_bytes(2, "big") + b"e" * size)
    pump(client, server)

    assert completed(client, server)


def test_more_than_32_kb_of_early_data_is_too_much():
    def early(hello):
        return extended(hello, {Ext.EARLY_DATA: b""})

    _client, hello = client_saying(early)
    server = Endpoint.server(leaf(), groups=GROUPS)
    server.feed(hello)
    for _ in range(3):
        server.feed(b"\x17\3\3\x40\0" + bytes(2**14))

    assert server.failure.alert == 10


# What a client must bear


def test_a_request_with_unknown_extensions_and_schemes_is_answered():
    change = with_extensions(
        CertificateRequest,
        {0x3A3A: b"x", SCHEMES: write_uint16_list((0x3A3A, 0x0403)), Ext.SERVER_NAME: b""},
    )
    asks = {"client_authentication": ClientAuthentication.REQUEST}
    scene = Scene("client", {Type.CERTIFICATE_REQUEST: change}, theirs=asks).play()

    # The server signed another transcript, so it ends at its proof: the request itself was borne.
    assert scene.failure.reason.startswith("CertificateVerify does not verify")


def test_a_ticket_with_unknown_extensions_is_passed_over():
    scene = Scene("client").play()
    body = bytes(8) + b"\0" + b"\0\1t" + b"\0\x0c" + b"\x3a\x3a\0\0" + b"\0\x2a\0\4\0\0\x40\0"
    scene.says(HANDSHAKE, b"\4" + len(body).to_bytes(3, "big") + body, stage="application")

    assert scene.failure is None
    assert scene.alerts == []


@pytest.mark.parametrize("role", ["server", "client"])
def test_compatibility_records_are_dropped_throughout_the_handshake(role):
    scene = Scene(role).until_our_flight()
    for _ in range(10):
        scene.says_plainly(20, b"\1")

    assert scene.failure is None


@pytest.mark.parametrize("version", [0x0300, 0x0301, 0x0304, 0x0A0A, 0xFFFF], ids=hex)
def test_the_version_of_a_plaintext_record_is_ignored(version):
    client, server = Endpoint.client(groups=GROUPS), Endpoint.server(leaf(), groups=GROUPS)
    hello = client.take()
    server.feed(hello[:1] + version.to_bytes(2, "big") + hello[3:])
    pump(client, server)

    assert completed(client, server)
