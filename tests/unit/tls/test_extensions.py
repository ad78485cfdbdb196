import pytest

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codec import Reader, Writer
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.extensions import (
    PLACES,
    Block,
    KeyShareEntry,
    check_places,
    read_alpn,
    read_client_shares,
    read_cookie,
    read_extensions,
    read_record_size_limit,
    read_server_name,
    read_server_share,
    read_single_uint16,
    read_uint16_list,
    write_alpn,
    write_extensions,
    write_server_name,
    write_uint16_list,
)

GREASE = 0x3A3A
REQUESTS = (Block.CLIENT_HELLO, Block.CERTIFICATE_REQUEST, Block.NEW_SESSION_TICKET)
ANSWERS = tuple(block for block in Block if block not in REQUESTS)
DECODE_ERROR = AlertDescription.DECODE_ERROR
ILLEGAL_PARAMETER = AlertDescription.ILLEGAL_PARAMETER


def refused(call, description):
    with pytest.raises(FatalAlert) as caught:
        call()
    assert caught.value.description is description


def written(extensions):
    writer = Writer()
    write_extensions(writer, extensions)
    return writer.finish()


# Blocks


def test_a_block_comes_back_in_its_order_unknown_extensions_included():
    extensions = {51: b"abc", GREASE: b"", 0: b"x"}
    found = read_extensions(Reader(written(extensions), "ClientHello"))

    assert list(found.items()) == list(extensions.items())


@pytest.mark.parametrize("extension", [int(ExtensionType.KEY_SHARE), GREASE])
def test_a_repeated_extension_is_refused(extension):
    twice = Writer().opaque(Writer().uint(extension, 2).uint(0, 2).finish() * 2, 2).finish()

    refused(lambda: read_extensions(Reader(twice, "ClientHello")), ILLEGAL_PARAMETER)


def test_a_block_may_hold_thousands_that_nobody_knows():
    many = {0x1000 + number: b"" for number in range(16_000)}

    assert read_extensions(Reader(written(many), "ClientHello")) == many


@pytest.mark.parametrize("block", ["", "00", "0001", "000400330001", "0004 0033 0001 aa"])
def test_a_block_with_wrong_lengths_is_refused(block):
    refused(lambda: read_extensions(Reader(bytes.fromhex(block), "ClientHello")), DECODE_ERROR)


@pytest.mark.parametrize("block", REQUESTS)
def test_unknown_extensions_are_ignored_in_requests(block):
    check_places(block, {GREASE: b""})


@pytest.mark.parametrize("block", ANSWERS)
def test_an_answer_to_what_was_not_asked_is_unsupported(block):
    refused(lambda: check_places(block, {GREASE: b""}), AlertDescription.UNSUPPORTED_EXTENSION)
    check_places(block, {GREASE: b""}, requested={GREASE})


@pytest.mark.parametrize("extension", ExtensionType, ids=lambda e: e.name)
def test_a_known_extension_stands_in_its_messages_only(extension):
    """The table of §4.3, every extension against every message."""
    for block in Block:
        if block in PLACES[extension]:
            check_places(block, {extension: b""}, requested={extension})
        else:
            refused(
                lambda b=block: check_places(b, {extension: b""}, requested={extension}),
                ILLEGAL_PARAMETER,
            )


def test_a_cookie_needs_no_request():
    check_places(Block.HELLO_RETRY_REQUEST, {ExtensionType.COOKIE: b""})


@pytest.mark.parametrize(
    ("extension", "block"),
    [
        (ExtensionType.KEY_SHARE, Block.ENCRYPTED_EXTENSIONS),
        (ExtensionType.SUPPORTED_VERSIONS, Block.ENCRYPTED_EXTENSIONS),
        (ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION, Block.SERVER_HELLO),
        (ExtensionType.SERVER_NAME, Block.SERVER_HELLO),
        (ExtensionType.SIGNATURE_ALGORITHMS, Block.ENCRYPTED_EXTENSIONS),
        (ExtensionType.COOKIE, Block.SERVER_HELLO),
        (ExtensionType.PRE_SHARED_KEY, Block.HELLO_RETRY_REQUEST),
        (ExtensionType.EARLY_DATA, Block.SERVER_HELLO),
    ],
)
def test_the_table_says_what_the_standard_says(extension, block):
    assert block not in PLACES[extension]


# Values


def test_key_shares_come_back():
    shares = (KeyShareEntry(GREASE, b"\0"), KeyShareEntry(0x11EC, bytes(1216)))
    data = Writer().opaque(b"".join(share.write() for share in shares), 2).finish()

    assert read_client_shares(data) == shares
    assert read_server_share(shares[1].write()) == shares[1]
    assert read_client_shares(b"\0\0") == ()


def test_a_group_shared_twice_is_refused():
    entry = KeyShareEntry(0x1D, b"x").write()
    data = Writer().opaque(entry * 2, 2).finish()

    refused(lambda: read_client_shares(data), ILLEGAL_PARAMETER)


@pytest.mark.parametrize(
    "data", ["", "00", "0004 001d 0000", "0003 001d 00", "0000 00", "0005 001d 0002 aa"]
)
def test_malformed_client_shares_are_refused(data):
    refused(lambda: read_client_shares(bytes.fromhex(data)), DECODE_ERROR)


@pytest.mark.parametrize("data", ["", "001d", "001d 0000", "001d 0001 aa bb"])
def test_a_malformed_server_share_is_refused(data):
    refused(lambda: read_server_share(bytes.fromhex(data)), DECODE_ERROR)


@pytest.mark.parametrize("data", ["", "01", "010203"])
def test_a_single_value_is_two_bytes(data):
    refused(lambda: read_single_uint16(bytes.fromhex(data), "x"), DECODE_ERROR)
    assert read_single_uint16(b"\1\2", "x") == 0x0102


@pytest.mark.parametrize("data", ["", "0000", "0001 1d", "0003 001d 00", "0002 001d 00"])
def test_a_list_is_whole_and_not_empty(data):
    refused(lambda: read_uint16_list(bytes.fromhex(data), "supported_groups"), DECODE_ERROR)


def test_lists_come_back_with_duplicates_and_grease():
    values = (GREASE, 0x1D, 0x1D, 0xFFFF)

    assert read_uint16_list(write_uint16_list(values), "x") == values
    assert read_uint16_list(write_uint16_list(values, prefix=1), "x", prefix=1) == values


def test_a_server_name_comes_back():
    assert read_server_name(write_server_name("llm.example")) == "llm.example"
    assert read_server_name(write_server_name("a" * 255)) == "a" * 255


def _names(*entries):
    body = b"".join(Writer().uint(kind, 1).opaque(name, 2).finish() for kind, name in entries)
    return Writer().opaque(body, 2).finish()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\0\0",
        _names((0, b"")),
        _names((1, b"a")),
        _names((0, b"a"), (0, b"b")),
        _names((0, b"a" * 256)),
        _names((0, b"a\0b")),
        _names((0, "ä".encode())),
        _names((0, b"a")) + b"\0",
    ],
)
def test_a_server_name_that_is_no_single_ascii_name_is_refused(data):
    refused(lambda: read_server_name(data), DECODE_ERROR)


def test_protocol_names_come_back():
    protocols = (b"h2", b"http/1.1", b"x" * 255)

    assert read_alpn(write_alpn(protocols)) == protocols


@pytest.mark.parametrize("data", ["", "0000", "0001 00", "0003 02 6832 00", "0002 02 68"])
def test_a_malformed_protocol_list_is_refused(data):
    refused(lambda: read_alpn(bytes.fromhex(data)), DECODE_ERROR)


@pytest.mark.parametrize("data", ["", "0000", "0001", "0001 aa bb"])
def test_a_malformed_cookie_is_refused(data):
    refused(lambda: read_cookie(bytes.fromhex(data)), DECODE_ERROR)
    assert read_cookie(bytes.fromhex("0001aa")) == b"\xaa"


@pytest.mark.parametrize(
    ("limit", "accepted"), [(0, False), (63, False), (64, True), (16385, True), (65535, True)]
)
def test_a_record_size_limit_is_64_at_least(limit, accepted):
    data = limit.to_bytes(2, "big")
    if accepted:
        assert read_record_size_limit(data) == limit
    else:
        refused(lambda: read_record_size_limit(data), ILLEGAL_PARAMETER)
