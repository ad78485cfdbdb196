"""How large a record may be, in both directions, and how small the peer may ask us to make ours."""

import pytest

from pqproxy.tls import AlertDescription, client_hello
from pqproxy.tls.codepoints import ContentType, ExtensionType
from pqproxy.tls.record import plaintext_record
from tests.support import hostile
from tests.support.loopback import pump

DATA, HANDSHAKE = ContentType.APPLICATION_DATA, ContentType.HANDSHAKE
RECORD_OVERFLOW = AlertDescription.RECORD_OVERFLOW
after_handshake = pytest.mark.parametrize(
    "make", [hostile.server_after_handshake, hostile.client_after_handshake]
)


@after_handshake
@pytest.mark.parametrize("length", [1, 2**14 - 1, 2**14])
def test_data_up_to_2_to_the_14_is_delivered(make, length):
    target = make()
    target.say(DATA, b"x" * length)

    assert target.failure is None
    assert bytes(target.endpoint.received) == b"x" * length


@after_handshake
@pytest.mark.parametrize(("length", "padding"), [(2**14 + 1, 0), (2**14, 1), (1, 2**14)])
def test_one_byte_more_overflows_whatever_it_is(make, length, padding):
    target = make()
    target.say(DATA, b"x" * length, padding)

    assert target.failure.alert == RECORD_OVERFLOW
    assert not target.endpoint.received


@after_handshake
@pytest.mark.parametrize(
    ("length", "alert"),
    [(2**14 + 256, AlertDescription.BAD_RECORD_MAC), (2**14 + 257, RECORD_OVERFLOW)],
)
def test_ciphertext_may_have_256_bytes_more_and_is_judged_before_it_is_decrypted(
    make, length, alert
):
    target = make()
    target.say_plainly(DATA, bytes(length))

    assert target.failure.alert == alert


@after_handshake
def test_an_overflow_is_refused_by_the_header_alone(make):
    target = make()
    target.endpoint.feed(plaintext_record(DATA, bytes(2**14 + 257), 0x0303)[:5])

    assert target.failure.alert == RECORD_OVERFLOW


@pytest.mark.parametrize(("length", "alert"), [(2**14, None), (2**14 + 1, RECORD_OVERFLOW)])
def test_plaintext_records_have_the_same_limit(length, alert):
    target = hostile.fresh_server()
    target.say_plainly(HANDSHAKE, b"\1\1\0\0" + bytes(length - 4))

    assert (target.failure and target.failure.alert) == alert


def limited_hello(limit):
    return hostile.with_extensions(
        hostile.client_hello(), {ExtensionType.RECORD_SIZE_LIMIT: limit.to_bytes(2, "big")}
    )


@pytest.mark.parametrize("limit", [64, 65, 1000, 2**14, 2**14 + 1, 2**16 - 1])
def test_a_server_keeps_to_the_record_size_of_its_client(limit):
    """The limit counts the type byte; a client may name one that TLS 1.3 cannot reach."""
    server = hostile.fresh_server().endpoint
    server.feed(hostile.hello_in_records(limited_hello(limit)))

    assert server.failure is None
    assert server.connection.max_fragment == min(limit - 1, 2**14)
    protected = [one for one in hostile.records(server.take()) if one[0] == DATA]
    assert max(len(one) - 5 - 16 for one in protected) <= limit


@pytest.mark.parametrize("limit", [0, 1, 63])
def test_a_record_size_limit_under_64_is_refused_by_a_server(limit):
    target = hostile.fresh_server()
    target.endpoint.feed(hostile.hello_in_records(limited_hello(limit)))

    assert target.failure.alert == AlertDescription.ILLEGAL_PARAMETER


@pytest.mark.parametrize(
    ("limit", "alert"),
    [
        (63, AlertDescription.ILLEGAL_PARAMETER),
        (64, None),
        (2**14 + 1, None),
        (2**14 + 2, AlertDescription.ILLEGAL_PARAMETER),
    ],
)
def test_a_client_judges_the_limit_of_its_server(limit, alert):
    target = hostile.client_after_server_hello()
    block = bytes.fromhex("0006 001c 0002") + limit.to_bytes(2, "big")
    target.say(HANDSHAKE, hostile.message(8, block))

    assert (target.failure and target.failure.alert) == alert
    if alert is None:
        assert target.endpoint.connection.max_fragment == limit - 1


@pytest.mark.parametrize("limit", [64, 300, 1024])
def test_data_to_a_client_with_small_records_is_cut_and_padded_within_its_limit(monkeypatch, limit):
    plain = client_hello._extensions
    small = {ExtensionType.RECORD_SIZE_LIMIT: limit.to_bytes(2, "big")}
    monkeypatch.setattr(client_hello, "_extensions", lambda *args: {**plain(*args), **small})
    client, server, _ = hostile.pair()
    pump(client, server)
    server.send(b"x" * 5000)
    sent = server.take()
    client.feed(sent)

    assert max(len(one) - 5 - 16 for one in hostile.records(sent)) == limit
    assert bytes(client.received) == b"x" * 5000
