"""How large a handshake message may be: each cap is met exactly, then exceeded by one."""

from dataclasses import replace

import pytest

from pqproxy.tls import AlertDescription, ClientAuthentication
from pqproxy.tls.codec import Writer
from pqproxy.tls.codepoints import ContentType, ExtensionType, HandshakeType
from pqproxy.tls.extensions import write_uint16_list
from pqproxy.tls.messages import Certificate
from pqproxy.tls.record import plaintext_record
from tests.support import hostile

KB = 1024
GREASE = 0x6A6A
HANDSHAKE = ContentType.HANDSHAKE
ILLEGAL_PARAMETER = AlertDescription.ILLEGAL_PARAMETER


def in_pieces(target, data, size=2**14):
    """A handshake message over as many protected records as it needs, while it is listened to."""
    for start in range(0, len(data), size):
        if target.failure is None:
            target.say(HANDSHAKE, data[start : start + size])


def padded_hello(length):
    """A ClientHello whose body has `length` bytes, by suites first and an extension last."""
    hello = hostile.client_hello()
    suites = (*hello.cipher_suites, *([GREASE] * 32_000))
    hello = replace(hello, cipher_suites=suites)
    missing = length - len(hello.message().body) - 4
    filled = hostile.with_extensions(hello, {0xFE0D: bytes(missing)})
    assert len(filled.message().body) == length
    return filled


def test_a_client_hello_of_100_kb_is_answered():
    target = hostile.fresh_server()
    target.endpoint.feed(hostile.hello_in_records(padded_hello(100 * KB)))

    assert target.failure is None
    assert len(target.endpoint.take()) > 500


@pytest.mark.parametrize(("length", "refused"), [(128 * KB, False), (128 * KB + 1, True)])
def test_a_client_hello_may_have_128_kb(length, refused):
    """Nothing of a larger one is kept: its header is enough."""
    target = hostile.fresh_server()
    target.say_plainly(HANDSHAKE, b"\1" + length.to_bytes(3, "big"))

    assert (target.failure is not None) is refused
    if refused:
        assert target.failure.alert == ILLEGAL_PARAMETER


def test_a_client_that_lists_32715_signature_schemes_is_served():
    schemes = write_uint16_list((*range(0x7000, 0x7000 + 32_714), 0x0403))
    hello = hostile.with_extensions(
        hostile.client_hello(), {ExtensionType.SIGNATURE_ALGORITHMS: schemes}
    )
    target = hostile.fresh_server()
    target.endpoint.feed(hostile.hello_in_records(hello))

    assert target.failure is None
    assert len(target.endpoint.take()) > 500


@pytest.mark.parametrize("size", [1, 7, 500])
def test_a_client_hello_over_many_records_and_segments_is_answered(size):
    target = hostile.fresh_server()
    stream = hostile.hello_in_records(hostile.client_hello(), size)
    for byte in stream:
        target.endpoint.feed(bytes([byte]))

    assert target.failure is None
    assert len(target.endpoint.take()) > 500


def test_the_largest_client_hello_is_judged_as_soon_as_it_is_whole():
    """One full record after another: what is kept never grows beyond the cap."""
    target = hostile.fresh_server()
    target.say_plainly(HANDSHAKE, b"\1\2\0\0" + bytes(2**14 - 4))
    for _ in range(7):
        target.say_plainly(HANDSHAKE, bytes(2**14))
        assert target.failure is None
    target.say_plainly(HANDSHAKE, bytes(4))

    assert target.failure.alert == AlertDescription.DECODE_ERROR
    assert target.endpoint.connection.held == 0


def test_a_half_hello_keeps_no_more_than_was_sent():
    target = hostile.fresh_server()
    target.endpoint.feed(plaintext_record(HANDSHAKE, b"\1\1\0\0" + bytes(90), 0x0301)[:-5])

    assert target.failure is None
    assert target.endpoint.connection.held == 5 + 94 - 5


def chain(target_length, count=1):
    """A Certificate message of this body length."""
    each = (b"x",) * (count - 1)
    rest = target_length - len(Certificate((*each, b"")).message().body)
    return Certificate((*each, b"x" * rest)).message().encode()


@pytest.mark.parametrize(
    ("length", "alert"),
    [(64 * KB, AlertDescription.BAD_CERTIFICATE), (64 * KB + 1, ILLEGAL_PARAMETER)],
)
@pytest.mark.parametrize("role", ["client", "server"])
def test_a_chain_may_have_64_kb(role, length, alert):
    """At the cap it is read, and then found to be no certificate when the proof comes."""
    target = waiting_for_certificate(role)
    in_pieces(target, chain(length))
    if target.failure is None:
        target.say(HANDSHAKE, hostile.message(15, bytes.fromhex("04030000")))

    assert target.failure.alert == alert


@pytest.mark.parametrize(
    ("count", "alert"),
    [(6, None), (7, AlertDescription.BAD_CERTIFICATE)],
)
@pytest.mark.parametrize("role", ["client", "server"])
def test_a_chain_may_have_six_certificates(role, count, alert):
    target = waiting_for_certificate(role)
    in_pieces(target, Certificate((b"x",) * count).message().encode())

    assert (target.failure and target.failure.alert) == alert


def waiting_for_certificate(role):
    if role == "server":
        return hostile.server_after_its_flight(client_authentication=ClientAuthentication.REQUIRE)
    target = hostile.client_after_server_hello()
    target.say(HANDSHAKE, hostile.message(8, b"\0\0"))
    assert target.failure is None
    return target


def ticket(length):
    """A NewSessionTicket of this body length."""
    head = Writer().uint(3600, 4).uint(0, 4).opaque(b"n", 1)
    body = head.opaque(bytes(length - 14), 2).uint(0, 2).finish()
    assert len(body) == length
    return hostile.message(HandshakeType.NEW_SESSION_TICKET, body)


@pytest.mark.parametrize(("length", "alert"), [(16 * KB, None), (16 * KB + 1, ILLEGAL_PARAMETER)])
def test_a_ticket_may_have_16_kb(length, alert):
    target = hostile.client_after_handshake()
    in_pieces(target, ticket(length))

    assert (target.failure and target.failure.alert) == alert


def test_a_server_takes_no_ticket():
    target = hostile.server_after_handshake()
    target.say(HANDSHAKE, ticket(100))

    assert target.failure.alert == AlertDescription.UNEXPECTED_MESSAGE


def test_a_ticket_without_end_is_refused_by_its_header():
    target = hostile.client_after_handshake()
    target.say(HANDSHAKE, b"\4\xff\xff\xff")

    assert target.failure.alert == ILLEGAL_PARAMETER


@pytest.mark.parametrize("length", [0, 31, 49, 1024])
def test_a_finished_of_another_length_is_decode_error(length):
    target = hostile.server_after_its_flight()
    target.say(HANDSHAKE, hostile.message(HandshakeType.FINISHED, bytes(length)))

    assert target.failure.alert == AlertDescription.DECODE_ERROR


def test_a_finished_of_the_right_length_and_wrong_content_is_decrypt_error():
    target = hostile.server_after_its_flight()
    target.say(HANDSHAKE, hostile.message(HandshakeType.FINISHED, bytes(48)))

    assert target.failure.alert == AlertDescription.DECRYPT_ERROR
