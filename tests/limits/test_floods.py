"""What costs us and brings nothing: borne up to the limit, refused beyond it."""

import pytest

from pqproxy.tls import AlertDescription
from pqproxy.tls.codepoints import ContentType
from tests.support import hostile

ALERT, HANDSHAKE, DATA = ContentType.ALERT, ContentType.HANDSHAKE, ContentType.APPLICATION_DATA
CHANGE_CIPHER_SPEC = ContentType.CHANGE_CIPHER_SPEC
USER_CANCELED = bytes((1, 90))
UNEXPECTED_MESSAGE = AlertDescription.UNEXPECTED_MESSAGE
TICKET = hostile.message(4, bytes(8) + bytes.fromhex("00 0001 aa 0000"))
both_roles = pytest.mark.parametrize(
    "make", [hostile.server_after_handshake, hostile.client_after_handshake]
)


def key_update(target):
    target.update_key()


def empty_record(target):
    target.say(DATA, b"")


def padded_empty_record(target):
    target.say(DATA, b"", padding=1000)


def warning(target):
    target.say(ALERT, USER_CANCELED)


FLOODS = [(key_update, 32), (empty_record, 32), (padded_empty_record, 32), (warning, 4)]
each_flood = pytest.mark.parametrize(
    ("flood", "limit"), FLOODS, ids=lambda v: getattr(v, "__name__", v)
)


@both_roles
@each_flood
def test_a_flood_is_borne_up_to_its_limit(make, flood, limit):
    target = make()
    for _ in range(limit):
        flood(target)
    target.say(DATA, b"data")

    assert target.failure is None
    assert bytes(target.endpoint.received) == b"data"


@both_roles
@each_flood
def test_one_more_than_its_limit_is_refused(make, flood, limit):
    target = make()
    for _ in range(limit + 1):
        flood(target)

    assert target.failure.alert == UNEXPECTED_MESSAGE
    assert target.endpoint.closed


@both_roles
@each_flood
def test_data_in_between_starts_the_count_anew(make, flood, limit):
    target = make()
    for _ in range(3):
        for _ in range(limit):
            flood(target)
        target.say(DATA, b"x")

    assert target.failure is None


@pytest.mark.parametrize(("count", "refused"), [(32, False), (33, True)])
def test_tickets_are_borne_up_to_32(count, refused):
    target = hostile.client_after_handshake()
    for _ in range(count):
        target.say(HANDSHAKE, TICKET)

    assert (target.failure is not None) is refused


def test_tickets_and_key_updates_count_together():
    target = hostile.client_after_handshake()
    for _ in range(16):
        target.say(HANDSHAKE, TICKET)
        target.update_key()
    assert target.failure is None
    target.update_key()

    assert target.failure.alert == UNEXPECTED_MESSAGE


@pytest.mark.parametrize("count", [1, 32])
def test_key_updates_that_ask_for_one_are_answered_once_and_only_with_data(count):
    """A peer that does not read cannot make us queue."""
    target = hostile.server_after_handshake()
    for _ in range(count):
        target.say(HANDSHAKE, bytes.fromhex("1800000101"))
        target.protection = target.protection.next_generation()
    assert target.endpoint.take() == b""
    target.endpoint.send(b"answer")

    assert len(hostile.records(target.endpoint.take())) == 2  # KeyUpdate, data
    target.endpoint.send(b"answer")
    assert len(hostile.records(target.endpoint.take())) == 1


def test_many_key_updates_in_one_record_are_refused():
    """The second would count under a key that it was not sent under."""
    target = hostile.server_after_handshake()
    target.say(HANDSHAKE, bytes.fromhex("1800000100") * 2)

    assert target.failure.alert == UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    "make", [hostile.server_after_its_flight, hostile.client_after_server_hello]
)
@pytest.mark.parametrize(("count", "refused"), [(32, False), (33, True)])
def test_compatibility_records_are_borne_up_to_32(make, count, refused):
    target = make()
    for _ in range(count):
        target.say_plainly(CHANGE_CIPHER_SPEC, b"\1")

    assert (target.failure is not None) is refused


def test_compatibility_records_after_the_handshake_are_refused():
    target = hostile.server_after_handshake()
    target.say_plainly(CHANGE_CIPHER_SPEC, b"\1")

    assert target.failure.alert == UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    "make", [hostile.server_after_its_flight, hostile.client_after_server_hello]
)
def test_warnings_are_counted_within_the_handshake_too(make):
    target = make()
    for _ in range(4):
        target.say(ALERT, USER_CANCELED)
    assert target.failure is None
    target.say(ALERT, USER_CANCELED)

    assert target.failure.alert == UNEXPECTED_MESSAGE


def test_warnings_are_counted_before_there_are_keys():
    target = hostile.fresh_server()
    for _ in range(5):
        target.say_plainly(ALERT, USER_CANCELED)

    assert target.failure.alert == UNEXPECTED_MESSAGE


@pytest.mark.parametrize("make", [hostile.fresh_server, hostile.fresh_client])
@pytest.mark.parametrize("content_type", [ALERT, HANDSHAKE])
def test_not_one_empty_plaintext_record_is_borne(make, content_type):
    target = make()
    target.say_plainly(content_type, b"")

    assert target.failure.alert == UNEXPECTED_MESSAGE


@both_roles
def test_after_a_refusal_nothing_is_read_any_more(make):
    target = make()
    for _ in range(33):
        target.say(DATA, b"")
    alert = target.endpoint.take()
    target.say(DATA, b"more")
    target.endpoint.feed_eof()

    assert len(hostile.records(alert)) == 1
    assert target.endpoint.take() == b""
    assert not target.endpoint.received
    assert [type(event).__name__ for event in target.endpoint.events][-1] == "Failed"
    assert target.endpoint.connection.held == 0
