import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.client_hello import ClientContext, ClientOffer
from pqproxy.tls.codepoints import ExtensionType, NamedGroup
from pqproxy.tls.handshake_client import WaitServerHello
from pqproxy.tls.key_exchange import KeyExchanges
from tests.support.loopback import PROVIDER
from tests.support.playbook import RETRY_RANDOM, entropy, server_hello, share

ILLEGAL_PARAMETER = AlertDescription.ILLEGAL_PARAMETER
PROTOCOL_VERSION = AlertDescription.PROTOCOL_VERSION
UNSUPPORTED_EXTENSION = AlertDescription.UNSUPPORTED_EXTENSION
DECODE_ERROR = AlertDescription.DECODE_ERROR
VERSIONS, KEY_SHARE = ExtensionType.SUPPORTED_VERSIONS, ExtensionType.KEY_SHARE
X25519, P256, P384 = NamedGroup.x25519, NamedGroup.secp256r1, NamedGroup.secp384r1


def waiting(**config):
    values = {"groups": (X25519, P256), "key_shares": (X25519,), **config}
    context = ClientContext(tls.ClientConfig(PROVIDER, **values), KeyExchanges(PROVIDER), entropy)
    return WaitServerHello(context, ClientOffer.make(context))


def retry(extensions=None, **fields):
    asked = {KEY_SHARE: int(P256).to_bytes(2, "big"), **(extensions or {})}
    return server_hello(asked, random=RETRY_RANDOM, **fields)


def refused(hello, state=None):
    with pytest.raises(FatalAlert) as caught:
        (state or waiting()).on_message(hello.message())
    return caught.value


BOTH = pytest.mark.parametrize("kind", [server_hello, retry], ids=["ServerHello", "retry"])


@BOTH
@pytest.mark.parametrize("legacy_version", [0x0300, 0x0302, 0x0304])
def test_any_other_legacy_version_is_a_wrong_version(kind, legacy_version):
    assert refused(kind(legacy_version=legacy_version)).description is PROTOCOL_VERSION


@BOTH
def test_without_a_selected_version_the_server_speaks_something_older(kind):
    assert refused(kind({VERSIONS: None})).description is PROTOCOL_VERSION


@pytest.mark.parametrize("end", [b"DOWNGRD\x01", b"DOWNGRD\x00"])
def test_a_server_that_was_made_to_speak_something_older_says_so_in_its_random(end):
    """§4.2.3: somebody took TLS 1.3 out of our offer on its way."""
    alert = refused(server_hello({VERSIONS: None}, random=bytes(24) + end))

    assert alert.description is ILLEGAL_PARAMETER
    assert "hides it" in alert.reason


def test_the_end_of_the_random_means_nothing_under_tls_1_3():
    hello = server_hello(random=bytes(24) + b"DOWNGRD\x01")

    assert waiting().on_message(hello.message()).actions


@BOTH
@pytest.mark.parametrize(
    ("changes", "description"),
    [
        ({VERSIONS: b"\x03\x03"}, ILLEGAL_PARAMETER),
        ({VERSIONS: b"\x7f\x1c"}, ILLEGAL_PARAMETER),
        ({VERSIONS: b"\x03"}, DECODE_ERROR),
        ({VERSIONS: b"\x03\x04\0"}, DECODE_ERROR),
        ({0x5A5A: b""}, UNSUPPORTED_EXTENSION),
        ({ExtensionType.SERVER_NAME: b""}, ILLEGAL_PARAMETER),
        ({ExtensionType.SUPPORTED_GROUPS: b"\0\2\0\x1d"}, ILLEGAL_PARAMETER),
        ({ExtensionType.RECORD_SIZE_LIMIT: b"\x40\1"}, ILLEGAL_PARAMETER),
    ],
)
def test_extensions_of_both_kinds_are_judged(kind, changes, description):
    assert refused(kind(changes)).description is description


@BOTH
@pytest.mark.parametrize(
    "field",
    [
        {"legacy_session_id_echo": b""},
        {"legacy_session_id_echo": bytes(32)},
        {"legacy_compression_method": 1},
        {"cipher_suite": 0x1303},
        {"cipher_suite": 0x1305},
        {"cipher_suite": 0xC02F},
    ],
)
def test_fields_that_answer_something_else_than_was_offered_are_refused(kind, field):
    assert refused(kind(**field)).description is ILLEGAL_PARAMETER


def test_a_pre_shared_key_that_was_not_offered_cannot_be_selected():
    alert = refused(server_hello({ExtensionType.PRE_SHARED_KEY: b"\0\0"}))

    assert alert.description is UNSUPPORTED_EXTENSION


def test_a_cookie_belongs_into_a_retry_only():
    assert refused(server_hello({ExtensionType.COOKIE: b"\0\1c"})).description is ILLEGAL_PARAMETER


def test_a_server_hello_without_a_share_lacks_an_extension():
    assert refused(server_hello({KEY_SHARE: None})).description is (
        AlertDescription.MISSING_EXTENSION
    )


@pytest.mark.parametrize("group", [P256, P384, NamedGroup.X25519MLKEM768, 0x2A2A])
def test_a_share_for_another_group_than_ours_is_refused(group):
    alert = refused(server_hello({KEY_SHARE: share(group, bytes(65))}))

    assert alert.description is ILLEGAL_PARAMETER


@pytest.mark.parametrize("group", [X25519, P384, NamedGroup.X25519MLKEM768, 0x2A2A])
def test_a_retry_must_ask_for_a_group_offered_and_not_yet_shared(group):
    alert = refused(retry({KEY_SHARE: int(group).to_bytes(2, "big")}))

    assert alert.description is ILLEGAL_PARAMETER


def test_a_retry_that_changes_nothing_is_refused():
    assert refused(retry({KEY_SHARE: None})).description is ILLEGAL_PARAMETER


@pytest.mark.parametrize("cookie", [b"", b"\0", b"\0\0", b"\0\2c", b"\0\1cc"])
def test_a_malformed_cookie_is_refused(cookie):
    assert refused(retry({ExtensionType.COOKIE: cookie})).description is DECODE_ERROR


class TestAfterARetry:
    """What the retry fixed stays fixed."""

    def after(self, **fields):
        return waiting().on_message(retry(**fields).message()).next_state

    def test_a_second_retry_is_unexpected(self):
        alert = refused(retry({KEY_SHARE: b"\0\x1d"}), self.after())

        assert alert.description is AlertDescription.UNEXPECTED_MESSAGE

    def test_the_suite_stays(self):
        assert refused(server_hello(cipher_suite=0x1301), self.after()).description is (
            ILLEGAL_PARAMETER
        )

    def test_the_group_is_the_one_that_was_asked_for(self):
        """The share of the first hello is no longer on offer."""
        assert refused(server_hello(), self.after()).description is ILLEGAL_PARAMETER
