"""Keys change on a message boundary only: what is packed behind the change came under the old key.

Injecting plaintext that counts as protected was a hole in several TLS libraries at once.
"""

import pytest

from pqproxy.tls import AlertDescription, ClientAuthentication, record
from pqproxy.tls.codepoints import ContentType
from tests.support import hostile
from tests.support.loopback import pump

ALERT, HANDSHAKE, DATA = ContentType.ALERT, ContentType.HANDSHAKE, ContentType.APPLICATION_DATA
UNEXPECTED_MESSAGE = AlertDescription.UNEXPECTED_MESSAGE
ENCRYPTED_EXTENSIONS = hostile.message(8, b"\0\0")
KEY_UPDATE = bytes.fromhex("1800000100")


def met():
    """A client with a ServerHello, as its bytes, in front of it."""
    client, server, _ = hostile.pair()
    server.feed(client.take())
    return client, hostile.records(server.take())


@pytest.mark.parametrize("length", [1, 3, len(ENCRYPTED_EXTENSIONS)])
def test_plaintext_packed_behind_server_hello_is_refused(length):
    """A whole EncryptedExtensions, or the beginning of one to be ended under keys."""
    client, flight = met()
    packed = flight[0][5:] + ENCRYPTED_EXTENSIONS[:length]
    target = hostile.Target(client)
    target.say_plainly(HANDSHAKE, packed)

    assert target.failure.alert == UNEXPECTED_MESSAGE


def test_plaintext_after_server_hello_in_its_own_record_is_refused():
    client, flight = met()
    client.feed(flight[0])
    target = hostile.Target(client)
    target.say_plainly(HANDSHAKE, ENCRYPTED_EXTENSIONS)

    assert target.failure.alert == UNEXPECTED_MESSAGE


def test_a_server_hello_over_two_records_is_fine_if_it_ends_with_the_second():
    client, flight = met()
    target, hello = hostile.Target(client), flight[0][5:]
    target.say_plainly(HANDSHAKE, hello[:50])
    target.say_plainly(HANDSHAKE, hello[50:])
    client.feed(b"".join(flight[1:]))

    assert client.handshake_complete


@pytest.mark.parametrize("extra", [b"\x14", hostile.message(20, bytes(48))])
def test_plaintext_packed_behind_a_client_hello_is_refused(extra):
    target = hostile.fresh_server()
    target.say_plainly(HANDSHAKE, hostile.client_hello().message().encode() + extra)

    assert target.failure.alert == UNEXPECTED_MESSAGE


@pytest.mark.parametrize("extra", [b"\x18", KEY_UPDATE])
def test_what_is_packed_behind_a_client_finished_is_refused(extra):
    """The Finished itself is sound: it is the client's own, sealed again with more behind it."""
    client, server, log = hostile.pair()
    server.feed(client.take())
    target = hostile.Target(server, log.protection("CLIENT_HANDSHAKE_TRAFFIC_SECRET"))
    client.feed(server.take())
    finished = hostile.records(client.take())[-1]
    _, content = log.reading("CLIENT_HANDSHAKE_TRAFFIC_SECRET").unprotect(
        memoryview(bytearray(finished))
    )
    target.say(HANDSHAKE, bytes(content) + extra)

    assert target.failure.alert == UNEXPECTED_MESSAGE
    assert not server.handshake_complete


@pytest.mark.parametrize("extra", [b"\x18", KEY_UPDATE])
def test_what_follows_a_key_update_in_its_record_is_refused(extra):
    target = hostile.server_after_handshake()
    target.say(HANDSHAKE, KEY_UPDATE + extra)

    assert target.failure.alert == UNEXPECTED_MESSAGE


def test_a_key_update_over_two_records_is_fine():
    target = hostile.server_after_handshake()
    target.say(HANDSHAKE, KEY_UPDATE[:2])
    target.say(HANDSHAKE, KEY_UPDATE[2:])
    target.protection = target.protection.next_generation()
    target.say(DATA, b"data")

    assert target.failure is None
    assert bytes(target.endpoint.received) == b"data"


def test_data_between_the_halves_of_a_message_is_refused():
    target = hostile.server_after_handshake()
    target.say(HANDSHAKE, KEY_UPDATE[:2])
    target.say(DATA, b"data")

    assert target.failure.alert == UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    "alert", [bytes((1, 0)), bytes((1, 90))], ids=["close_notify", "user_canceled"]
)
def test_a_closing_alert_between_the_halves_of_a_message_is_refused(alert):
    """No other record stands between the parts of a message (§5.1), or a cut would pass for an
    end."""
    target = hostile.server_after_handshake()
    target.say(HANDSHAKE, KEY_UPDATE[:2])
    target.say(ALERT, alert)

    assert target.failure.alert == UNEXPECTED_MESSAGE
    assert not target.failure.by_peer


def test_an_error_alert_between_the_halves_of_a_message_is_what_the_peer_said():
    target = hostile.server_after_handshake()
    target.say(HANDSHAKE, KEY_UPDATE[:2])
    target.say(ALERT, bytes((2, 80)))

    assert target.failure.by_peer
    assert target.failure.alert == AlertDescription.INTERNAL_ERROR


@pytest.mark.parametrize(
    "make", [hostile.server_after_its_flight, hostile.client_after_server_hello]
)
def test_a_key_update_within_the_handshake_is_refused(make):
    target = make()
    target.say(HANDSHAKE, KEY_UPDATE)

    assert target.failure.alert == UNEXPECTED_MESSAGE


@pytest.mark.parametrize("kind", [1, 2, 8, 11, 13, 15, 20])
@pytest.mark.parametrize("make", [hostile.server_after_handshake, hostile.client_after_handshake])
def test_no_message_of_the_handshake_comes_after_it(make, kind):
    """A CertificateRequest would be post-handshake authentication, which nobody offered."""
    target = make()
    target.say(HANDSHAKE, hostile.message(kind, bytes(40)))

    assert target.failure.alert == UNEXPECTED_MESSAGE


def test_a_client_without_a_certificate_cannot_skip_to_its_data():
    target = hostile.server_after_its_flight(client_authentication=ClientAuthentication.REQUIRE)
    target.say(HANDSHAKE, hostile.message(20, bytes(48)))

    assert target.failure.alert == UNEXPECTED_MESSAGE
    assert not target.endpoint.handshake_complete


def test_both_sides_update_their_keys_at_the_limit_and_data_still_flows(monkeypatch):
    monkeypatch.setattr(record, "REKEY_AFTER", 4)
    client, server, _ = hostile.pair()
    pump(client, server)
    for number in range(30):
        client.send(bytes([number]))
        server.send(bytes([number]) * 2)
        pump(client, server)

    assert bytes(server.received) == bytes(range(30))
    assert len(client.received) == 60
    assert client.failure is server.failure is None
