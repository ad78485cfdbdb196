import pytest

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite, ContentType, HandshakeType
from pqproxy.tls.input import Input
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.record import SendProtection, plaintext_record
from pqproxy.tls.secrets import Secret
from tests.support.hostile import seal

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
SECRET = Secret(bytes(32))
CCS, ALERT, HANDSHAKE, DATA = 20, 21, 22, 23


def plain(content_type, content):
    return plaintext_record(ContentType(content_type), content, 0x0303)


class Reading:
    """An Input, and the keys of what it reads."""

    def __init__(self, protected=True, **state):
        self.input = Input(hello_seen=True)
        self.sending = SendProtection(SUITE, SECRET)
        if protected:
            self.input.use_secret(SUITE, SECRET)
        for name, value in state.items():
            setattr(self.input, name, value)

    def read(self, *records):
        self.input.records.lend(b"".join(records), 0)
        found = []
        while (content := self.input.next_content()) is not None:
            found.append((content[0], bytes(content[1])))
        return found

    def refuses(self, *records):
        with pytest.raises(FatalAlert) as caught:
            self.read(*records)
        return caught.value.description

    def seal(self, content_type, content, padding=0):
        return seal(self.sending, content_type, content, padding)


def test_plaintext_is_handed_up_before_keys_are_on():
    reading = Reading(protected=False)

    contents = reading.read(plain(HANDSHAKE, b"abc"), plain(ALERT, b"\2\50"))
    assert contents == [(HANDSHAKE, b"abc"), (ALERT, b"\2\50")]
    assert not reading.input.is_protected


def test_protected_records_are_handed_up_with_their_inner_type():
    reading = Reading(handshake_complete=True)

    contents = reading.read(reading.seal(DATA, b"data"), reading.seal(HANDSHAKE, b"abc", 9))
    assert contents == [(DATA, b"data"), (HANDSHAKE, b"abc")]


@pytest.mark.parametrize("content_type", [ALERT, HANDSHAKE])
def test_plaintext_under_keys_is_refused(content_type):
    description = Reading().refuses(plain(content_type, b"\2\50"))

    assert description is AlertDescription.UNEXPECTED_MESSAGE


def test_a_plaintext_alert_under_keys_is_told_to_the_operator_as_unauthenticated():
    with pytest.raises(FatalAlert, match=r"peer said unknown_ca \(unauthenticated\)"):
        Reading().read(plain(ALERT, b"\2\60"))


@pytest.mark.parametrize("content_type", [0x01, CCS, 24, 0xFF])
def test_other_inner_types_are_refused(content_type):
    reading = Reading(handshake_complete=True)

    assert reading.refuses(reading.seal(content_type, b"\1")) is AlertDescription.UNEXPECTED_MESSAGE


@pytest.mark.parametrize("content_type", [ALERT, HANDSHAKE])
def test_an_empty_handshake_or_alert_record_is_refused(content_type):
    reading = Reading(handshake_complete=True)

    assert reading.refuses(reading.seal(content_type, b"")) is AlertDescription.UNEXPECTED_MESSAGE
    unprotected = Reading(protected=False)
    assert unprotected.refuses(plain(content_type, b"")) is AlertDescription.UNEXPECTED_MESSAGE


@pytest.mark.parametrize("content", [b"", b"data"])
def test_application_data_within_the_handshake_is_refused_even_if_empty(content):
    reading = Reading()

    assert reading.refuses(reading.seal(DATA, content)) is AlertDescription.UNEXPECTED_MESSAGE


def test_application_data_before_any_key_is_refused():
    reading = Reading(protected=False)

    assert reading.refuses(plain(DATA, bytes(40))) is AlertDescription.UNEXPECTED_MESSAGE


def test_application_data_between_the_parts_of_a_message_is_refused():
    reading = Reading(handshake_complete=True)
    reading.input.messages.feed(b"\x18")

    assert reading.refuses(reading.seal(DATA, b"x")) is AlertDescription.UNEXPECTED_MESSAGE


# Compatibility records


@pytest.mark.parametrize("protected", [False, True])
def test_a_compatibility_record_is_dropped_within_the_handshake(protected):
    assert Reading(protected=protected).read(plain(CCS, b"\1")) == []


@pytest.mark.parametrize("content", [b"", b"\0", b"\2", b"\1\1"])
def test_a_compatibility_record_of_another_value_is_refused(content):
    assert Reading().refuses(plain(CCS, content)) is AlertDescription.UNEXPECTED_MESSAGE


@pytest.mark.parametrize("state", [{"handshake_complete": True}, {"hello_seen": False}])
def test_a_compatibility_record_outside_the_handshake_is_refused(state):
    assert Reading(**state).refuses(plain(CCS, b"\1")) is AlertDescription.UNEXPECTED_MESSAGE


def test_a_compatibility_record_within_a_message_is_refused():
    reading = Reading(protected=False)
    reading.input.messages.feed(b"\1\0")

    assert reading.refuses(plain(CCS, b"\1")) is AlertDescription.UNEXPECTED_MESSAGE


# Keys


def test_keys_change_on_a_message_boundary_only():
    reading = Reading(protected=False)
    reading.input.messages.feed(b"\x08")

    with pytest.raises(FatalAlert) as caught:
        reading.input.use_secret(SUITE, SECRET)
    assert caught.value.description is AlertDescription.UNEXPECTED_MESSAGE


def test_a_key_update_within_a_message_is_refused():
    reading = Reading()
    reading.input.messages.feed(b"\x18")

    with pytest.raises(FatalAlert, match="changes keys"):
        reading.input.update_secret()


def test_after_a_key_update_only_the_new_key_counts():
    reading = Reading(handshake_complete=True)
    old = reading.seal(DATA, b"old")
    reading.input.update_secret()
    reading.sending = reading.sending.next_generation()

    assert reading.read(reading.seal(DATA, b"new")) == [(DATA, b"new")]
    assert reading.refuses(old) is AlertDescription.BAD_RECORD_MAC


def test_a_message_begun_under_one_key_is_not_ended_under_another():
    reading = Reading()
    reading.input.messages.feed(b"\x14\0\0")

    assert reading.input.messages.next_message(frozenset({HandshakeType.FINISHED})) is None
    with pytest.raises(FatalAlert):
        reading.input.update_secret()


# Early data


def test_early_data_is_passed_over_by_its_record_type_before_keys_are_on():
    reading = Reading(protected=False, skips_early_data=True)

    contents = reading.read(plain(DATA, bytes(40)), plain(HANDSHAKE, b"abc"), plain(DATA, b"x"))
    assert contents == [(HANDSHAKE, b"abc")]


def test_early_data_is_passed_over_until_something_decrypts():
    reading = Reading(skips_early_data=True)
    early = seal(SendProtection(SUITE, Secret(b"early data's secret")), DATA, b"GET /")

    assert reading.read(early, early, reading.seal(HANDSHAKE, b"abc")) == [(HANDSHAKE, b"abc")]
    assert reading.refuses(early) is AlertDescription.BAD_RECORD_MAC


def test_only_what_does_not_decrypt_is_passed_over():
    """A record that decrypts and is too large was written by the holder of the keys."""
    reading = Reading(skips_early_data=True)
    large = reading.seal(HANDSHAKE, bytes(2**14), padding=1)

    assert reading.refuses(large) is AlertDescription.RECORD_OVERFLOW
