from dataclasses import replace

import pytest

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codec import Writer
from pqproxy.tls.codepoints import ExtensionType, HandshakeType
from pqproxy.tls.handshake_server import check_client_hello
from tests.support.playbook import client_hello

ILLEGAL_PARAMETER = AlertDescription.ILLEGAL_PARAMETER
MISSING_EXTENSION = AlertDescription.MISSING_EXTENSION
DECODE_ERROR = AlertDescription.DECODE_ERROR

IDENTITY = Writer().opaque(b"ticket", 2).uint(0, 4).finish()
PRE_SHARED_KEY = (
    Writer().opaque(IDENTITY, 2).opaque(Writer().opaque(bytes(32), 1).finish(), 2).finish()
)


def refused(hello):
    with pytest.raises(FatalAlert) as caught:
        check_client_hello(hello)
    return caught.value


def test_a_sound_hello_passes():
    check_client_hello(client_hello())


@pytest.mark.parametrize("legacy_version", [0x0301, 0x0302, 0x0304, 0x0A0A, 0xFEFD])
def test_a_legacy_version_of_some_tls_chooses_nothing(legacy_version):
    check_client_hello(client_hello(legacy_version=legacy_version))


@pytest.mark.parametrize("methods", [b"\1", b"\0\1", b"\1\0", b"\0\0", bytes(255)])
def test_a_hello_offers_no_compression_in_exactly_one_byte(methods):
    assert refused(client_hello(legacy_compression_methods=methods)).description is (
        ILLEGAL_PARAMETER
    )


@pytest.mark.parametrize(
    "extension",
    [
        ExtensionType.SUPPORTED_GROUPS,
        ExtensionType.KEY_SHARE,
        ExtensionType.SIGNATURE_ALGORITHMS,
    ],
)
def test_an_extension_that_must_be_there_is_named_when_it_is_not(extension):
    alert = refused(client_hello({extension: None}))

    assert alert.description is MISSING_EXTENSION
    assert extension.name.lower() in alert.reason


def test_a_known_extension_that_belongs_into_another_message_is_refused():
    """oid_filters is for a CertificateRequest alone (§4.3)."""
    alert = refused(client_hello({ExtensionType.OID_FILTERS: b"\0\0"}))

    assert alert.description is ILLEGAL_PARAMETER
    assert "OID_FILTERS" in alert.reason


def test_unknown_extensions_are_nobody_s_business():
    check_client_hello(client_hello({0x0A0A: b"", 0xFE0D: b"x" * 300, 0xFFFF: b"y"}))


@pytest.mark.parametrize(
    ("extensions", "description"),
    [
        ({ExtensionType.PRE_SHARED_KEY: PRE_SHARED_KEY}, MISSING_EXTENSION),
        (
            {
                ExtensionType.PRE_SHARED_KEY: PRE_SHARED_KEY,
                ExtensionType.PSK_KEY_EXCHANGE_MODES: b"\1\1",
            },
            ILLEGAL_PARAMETER,  # not the last
        ),
        (
            {
                ExtensionType.PSK_KEY_EXCHANGE_MODES: b"\1\1",
                ExtensionType.PRE_SHARED_KEY: PRE_SHARED_KEY + b"\0",
            },
            DECODE_ERROR,
        ),
        ({ExtensionType.EARLY_DATA: b"\0"}, DECODE_ERROR),
    ],
)
def test_resumption_must_be_offered_properly_though_it_is_not_taken_up(extensions, description):
    assert refused(client_hello(extensions)).description is description


def test_a_proper_offer_of_resumption_passes():
    check_client_hello(
        client_hello(
            {
                ExtensionType.EARLY_DATA: b"",
                ExtensionType.PSK_KEY_EXCHANGE_MODES: b"\1\1",
                ExtensionType.PRE_SHARED_KEY: PRE_SHARED_KEY,
            }
        )
    )


def test_the_checks_leave_the_hello_as_it_is():
    hello = client_hello()
    before = replace(hello, extensions=dict(hello.extensions))

    check_client_hello(hello)

    assert hello == before
    assert hello.message().type == HandshakeType.CLIENT_HELLO


@pytest.mark.parametrize(("limit", "passes"), [(64, True), (63, False)])
def test_a_record_size_limit_is_judged_before_any_cryptography(limit, passes):
    hello = client_hello({ExtensionType.RECORD_SIZE_LIMIT: limit.to_bytes(2, "big")})

    if passes:
        check_client_hello(hello)
    else:
        assert refused(hello).description is ILLEGAL_PARAMETER
