"""Round trips, prefixes and arbitrary bytes are in tests/properties/test_messages.py."""

import hashlib

import pytest

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codec import Writer
from pqproxy.tls.codepoints import ExtensionType, HandshakeType
from pqproxy.tls.messages import (
    HELLO_RETRY_REQUEST_RANDOM,
    MAX_BODY,
    Certificate,
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    HandshakeMessage,
    MessageReader,
    NewSessionTicket,
    ServerHello,
    key_update_message,
    read_key_update,
)

DECODE_ERROR = AlertDescription.DECODE_ERROR
ILLEGAL_PARAMETER = AlertDescription.ILLEGAL_PARAMETER
UNEXPECTED_MESSAGE = AlertDescription.UNEXPECTED_MESSAGE


def refused(call, description):
    with pytest.raises(FatalAlert) as caught:
        call()
    assert caught.value.description is description


def hello_body(session_id=b"", suites=b"\x13\x01", compression=b"\0", rest=b""):
    writer = Writer().uint(0x0303, 2).raw(bytes(32)).opaque(session_id, 1)
    return writer.opaque(suites, 2).opaque(compression, 1).raw(rest).finish()


# Shapes


def test_a_message_is_its_type_its_length_and_its_body():
    assert HandshakeMessage(20, b"abc").encode() == bytes.fromhex("14 000003 616263")


def test_the_random_of_a_retry_is_the_hash_of_its_name():
    assert hashlib.sha256(b"HelloRetryRequest").digest() == HELLO_RETRY_REQUEST_RANDOM
    assert ServerHello(HELLO_RETRY_REQUEST_RANDOM, b"", 0x1301, {}).is_hello_retry_request
    assert not ServerHello(bytes(32), b"", 0x1301, {}).is_hello_retry_request


def test_a_hello_of_an_old_version_has_no_extensions():
    """It must parse, so that its client learns that the version is what we mind."""
    assert ClientHello.read(hello_body()).extensions == {}


@pytest.mark.parametrize("length", [0, 32])
def test_a_session_id_has_32_bytes_at_most(length):
    assert ClientHello.read(hello_body(bytes(length))).legacy_session_id == bytes(length)
    refused(lambda: ClientHello.read(hello_body(bytes(33))), DECODE_ERROR)
    server_hello = ServerHello(bytes(32), bytes(33), 0x1301, {}).message().body
    refused(lambda: ServerHello.read(server_hello), DECODE_ERROR)


@pytest.mark.parametrize(
    "fields",
    [
        {"suites": b""},
        {"suites": b"\x13\x01\x13"},
        {"compression": b""},
        {"rest": b"\0"},
        {"rest": b"\0\0\0"},
    ],
)
def test_a_malformed_hello_is_refused(fields):
    refused(lambda: ClientHello.read(hello_body(**fields)), DECODE_ERROR)


def test_encrypted_extensions_answer_only_what_was_asked():
    body = EncryptedExtensions({16: b"x"}).message().body

    assert EncryptedExtensions.read(body, frozenset({16})).extensions == {16: b"x"}
    refused(
        lambda: EncryptedExtensions.read(body, frozenset()), AlertDescription.UNSUPPORTED_EXTENSION
    )


@pytest.mark.parametrize("read", [Certificate.read, CertificateRequest.read])
def test_a_context_within_the_handshake_is_refused(read):
    refused(lambda: read(b"\1\0\0\0\0"), ILLEGAL_PARAMETER)


def test_an_empty_certificate_in_a_chain_is_refused():
    refused(lambda: Certificate.read(bytes.fromhex("00 000005 000000 0000")), DECODE_ERROR)


def test_an_extension_of_a_certificate_is_refused_because_we_ask_for_none():
    body = bytes.fromhex("00 00000a 000001 aa 0004 0005 0000")

    refused(lambda: Certificate.read(body), AlertDescription.UNSUPPORTED_EXTENSION)


def test_a_chain_of_six_is_read_and_one_of_seven_is_refused():
    six = Certificate((b"x",) * 6)

    assert Certificate.read(six.message().body) == six
    seven = Certificate((b"x",) * 7).message().body
    refused(lambda: Certificate.read(seven), AlertDescription.BAD_CERTIFICATE)


def test_a_ticket_without_a_ticket_is_refused():
    refused(lambda: NewSessionTicket.read(bytes(13)), DECODE_ERROR)


@pytest.mark.parametrize("length", [0, 3, 5])
def test_a_ticket_whose_early_data_is_no_uint32_does_not_parse(length):
    extensions = {ExtensionType.EARLY_DATA: bytes(length)}
    ticket = NewSessionTicket(60, 0, b"", b"ticket", extensions)

    refused(lambda: NewSessionTicket.read(ticket.message().body), DECODE_ERROR)


@pytest.mark.parametrize("update_requested", [False, True])
def test_a_key_update_says_whether_one_is_wanted_back(update_requested):
    message = key_update_message(update_requested=update_requested)

    assert read_key_update(message.body) is update_requested


@pytest.mark.parametrize(
    ("body", "description"),
    [
        (b"\2", ILLEGAL_PARAMETER),
        (b"\xff", ILLEGAL_PARAMETER),
        (b"", DECODE_ERROR),
        (b"\0\0", DECODE_ERROR),
    ],
)
def test_any_other_key_update_is_refused(body, description):
    refused(lambda: read_key_update(body), description)


# Reassembly


def reader(data):
    made = MessageReader()
    made.feed(data)
    return made


FINISHED_ONLY = frozenset({HandshakeType.FINISHED})
EVERYTHING = frozenset(MAX_BODY)


def test_a_message_is_put_together_from_any_pieces():
    message = HandshakeMessage(20, b"abc")
    made = MessageReader()
    for byte in message.encode():
        assert made.next_message(FINISHED_ONLY) is None
        made.feed(bytes([byte]))

    assert not made.is_empty
    assert made.next_message(FINISHED_ONLY) == message
    assert made.is_empty


def test_messages_that_share_a_record_come_one_by_one():
    first, second = HandshakeMessage(20, b"abc"), HandshakeMessage(20, b"")
    made = reader(first.encode() + second.encode())

    assert made.next_message(FINISHED_ONLY) == first
    assert not made.is_empty
    assert made.next_message(FINISHED_ONLY) == second
    assert made.next_message(FINISHED_ONLY) is None


@pytest.mark.parametrize("kind", [0, 1, 3, 6, 24, 67, 254, 255])
def test_an_unexpected_type_is_refused_by_its_header(kind):
    refused(
        lambda: reader(bytes([kind, 0xFF, 0xFF, 0xFF])).next_message(FINISHED_ONLY),
        UNEXPECTED_MESSAGE,
    )


@pytest.mark.parametrize("kind", MAX_BODY, ids=lambda k: k.name)
def test_a_message_at_its_cap_is_read_and_one_byte_more_is_refused_by_its_header(kind):
    largest = HandshakeMessage(kind, bytes(MAX_BODY[kind]))

    assert reader(largest.encode()).next_message(EVERYTHING) == largest
    header = HandshakeMessage(kind, bytes(MAX_BODY[kind] + 1)).encode()[:4]
    of_one_length = kind in (HandshakeType.FINISHED, HandshakeType.KEY_UPDATE)
    alert = DECODE_ERROR if of_one_length else ILLEGAL_PARAMETER
    refused(lambda: reader(header).next_message(EVERYTHING), alert)


@pytest.mark.parametrize(
    ("kind", "kilobytes"),
    [
        (HandshakeType.CLIENT_HELLO, 128),
        (HandshakeType.CERTIFICATE, 64),
        (HandshakeType.NEW_SESSION_TICKET, 16),
    ],
)
def test_the_caps_are_those_that_were_decided(kind, kilobytes):
    assert MAX_BODY[kind] == kilobytes * 1024


def test_every_message_that_may_come_has_a_cap():
    may_come = set(HandshakeType) - {HandshakeType.MESSAGE_HASH, HandshakeType.END_OF_EARLY_DATA}

    assert set(MAX_BODY) == may_come
