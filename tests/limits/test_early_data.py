"""Early data is never accepted; how much of it is passed over, in both ways of telling it."""

import pytest

from pqproxy import tls
from pqproxy.tls import AlertDescription, client_hello
from pqproxy.tls.codepoints import ContentType, ExtensionType
from pqproxy.tls.extensions import KeyShareEntry
from tests.support import hostile
from tests.support.loopback import Endpoint, pump

DATA, HANDSHAKE = ContentType.APPLICATION_DATA, ContentType.HANDSHAKE
X25519, P256 = tls.NamedGroup.x25519, tls.NamedGroup.secp256r1
EARLY_DATA = {ExtensionType.EARLY_DATA: b""}
UNEXPECTED_MESSAGE = AlertDescription.UNEXPECTED_MESSAGE
LIMIT = 32 * 1024


def after_retry():
    """A server that asked for another group, and the hello that it would take."""
    target = hostile.fresh_server(groups=(P256,))
    first = hostile.client_hello((X25519, P256), server_name="llm.test")
    target.endpoint.feed(hostile.hello_in_records(hostile.with_extensions(first, EARLY_DATA)))
    target.endpoint.take()
    donor = hostile.client_hello((P256,))
    share = donor.extensions[ExtensionType.KEY_SHARE]
    return target, hostile.with_extensions(first, {ExtensionType.KEY_SHARE: share})


@pytest.fixture
def offering(monkeypatch):
    """A client that offers early data, and a server that has answered its hello."""
    plain = client_hello._extensions
    monkeypatch.setattr(client_hello, "_extensions", lambda *args: {**plain(*args), **EARLY_DATA})
    client = Endpoint.client(groups=(X25519,))
    server = Endpoint.server(hostile.leaf(), groups=(X25519,))
    server.feed(client.take())
    client.feed(server.take())
    return client, hostile.Target(server)


def test_after_a_retry_32_kb_are_passed_over_and_the_second_hello_is_answered():
    target, second = after_retry()
    for _ in range(2):
        target.say_plainly(DATA, bytes(LIMIT // 2))
    target.endpoint.feed(hostile.hello_in_records(second))

    assert target.failure is None
    assert len(target.endpoint.take()) > 500


def test_after_a_retry_one_byte_more_is_refused():
    target, _ = after_retry()
    for _ in range(2):
        target.say_plainly(DATA, bytes(LIMIT // 2))
    target.say_plainly(DATA, b"x")

    assert target.failure.alert == UNEXPECTED_MESSAGE


def test_without_a_retry_32_kb_are_passed_over_and_the_handshake_completes(offering):
    client, target = offering
    for _ in range(2):
        target.say_plainly(DATA, bytes(LIMIT // 2))
    client.send(b"question")
    pump(client, target.endpoint)

    assert target.failure is None
    assert bytes(target.endpoint.received) == b"question"


def test_without_a_retry_one_byte_more_is_refused(offering):
    _, target = offering
    for _ in range(2):
        target.say_plainly(DATA, bytes(LIMIT // 2))
    target.say_plainly(DATA, b"x")

    assert target.failure.alert == UNEXPECTED_MESSAGE


def test_empty_records_of_early_data_are_counted_too(offering):
    for target in (after_retry()[0], offering[1]):
        for _ in range(32):
            target.say_plainly(DATA, b"")
        assert target.failure is None
        target.say_plainly(DATA, b"")

        assert target.failure.alert == UNEXPECTED_MESSAGE


def test_once_the_second_flight_came_nothing_is_passed_over(offering):
    client, target = offering
    target.endpoint.feed(client.take())
    assert target.endpoint.handshake_complete
    target.say_plainly(DATA, bytes(100))

    assert target.failure.alert == AlertDescription.BAD_RECORD_MAC


@pytest.mark.parametrize("retry", [False, True])
def test_a_client_that_did_not_offer_any_may_not_send_any(retry):
    groups = (P256,) if retry else (X25519,)
    target = hostile.fresh_server(groups=groups)
    target.endpoint.feed(hostile.hello_in_records(hostile.client_hello((X25519, P256))))
    target.say_plainly(DATA, bytes(100))

    expected = UNEXPECTED_MESSAGE if retry else AlertDescription.BAD_RECORD_MAC
    assert target.failure.alert == expected


def test_early_data_may_not_be_offered_again_after_a_retry():
    target, second = after_retry()
    target.endpoint.feed(hostile.hello_in_records(hostile.with_extensions(second, EARLY_DATA)))

    assert target.failure.alert == AlertDescription.ILLEGAL_PARAMETER


def test_after_the_second_hello_early_data_is_no_longer_passed_over():
    target, second = after_retry()
    target.endpoint.feed(hostile.hello_in_records(second))
    target.say_plainly(DATA, bytes(100))

    assert target.failure.alert == AlertDescription.BAD_RECORD_MAC


def test_an_early_data_extension_with_a_value_does_not_parse():
    hello = hostile.with_extensions(hostile.client_hello(), {ExtensionType.EARLY_DATA: b"\0"})
    target = hostile.fresh_server()
    target.endpoint.feed(hostile.hello_in_records(hello))

    assert target.failure.alert == AlertDescription.DECODE_ERROR


def test_a_share_with_no_bytes_does_not_parse():
    entry = KeyShareEntry(X25519, b"").write()
    data = len(entry).to_bytes(2, "big") + entry
    hello = hostile.with_extensions(hostile.client_hello(), {ExtensionType.KEY_SHARE: data})
    target = hostile.fresh_server()
    target.endpoint.feed(hostile.hello_in_records(hello))

    assert target.failure.alert == AlertDescription.DECODE_ERROR
