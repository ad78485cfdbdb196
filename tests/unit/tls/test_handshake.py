import hashlib

import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite, HandshakeType
from pqproxy.tls.handshake import (
    Flight,
    Over,
    Proceeding,
    SendChangeCipherSpec,
    SendHandshake,
    TrafficSecret,
    Transcript,
    WaitSignature,
    WaitVerdict,
    check_finished,
)
from pqproxy.tls.key_schedule import SUITES
from tests.support.playbook import Schedule, message

SHA256 = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
SHA384 = SUITES[CipherSuite.TLS_AES_256_GCM_SHA384]
ONE, TWO = message(HandshakeType.CLIENT_HELLO, b"one"), message(HandshakeType.SERVER_HELLO, b"two")


@pytest.mark.parametrize("suite", [SHA256, SHA384], ids=lambda s: s.hash_name)
def test_a_transcript_hashes_messages_with_their_headers(suite):
    transcript = Transcript(suite).plus(ONE).plus(TWO)

    said = b"\1\0\0\3one\2\0\0\3two"
    assert transcript.hash() == hashlib.new(suite.hash_name, said).digest()


def test_a_transcript_is_a_value():
    one = Transcript(SHA256).plus(ONE)
    before = one.hash()

    one.plus(TWO)

    assert one.hash() == before


@pytest.mark.parametrize("suite", [SHA256, SHA384], ids=lambda s: s.hash_name)
def test_a_first_hello_counts_as_its_hash_after_a_retry(suite):
    replaced = Transcript(suite).plus(ONE).replaced_by_hash().plus(TWO)

    digest = hashlib.new(suite.hash_name, b"\1\0\0\3one").digest()
    said = b"\xfe\0\0" + bytes((len(digest),)) + digest + b"\2\0\0\3two"
    assert replaced.hash() == hashlib.new(suite.hash_name, said).digest()


def test_a_flight_sends_what_it_hashes_in_the_order_of_its_calls():
    flight = Flight(Transcript(SHA256))
    flight.add(ONE)
    flight.do(SendChangeCipherSpec())
    flight.add(TWO)

    assert flight.actions == [SendHandshake(ONE), SendChangeCipherSpec(), SendHandshake(TWO)]
    assert flight.transcript.hash() == Transcript(SHA256).plus(ONE).plus(TWO).hash()


class TestFinished:
    """§4.5.3: over the transcript, under the key of its sender, whole and exact."""

    key = TrafficSecret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", SHA384, tls.Secret(b"k" * 48))
    transcript_hash = hashlib.sha384(b"\1\0\0\3one").digest()

    def finished(self, change=lambda body: body, messages=(ONE,)):
        right = Schedule("sha384", b"").finished(self.key, messages)
        return message(HandshakeType.FINISHED, change(right.body))

    def refused(self, finished):
        with pytest.raises(FatalAlert) as caught:
            check_finished(finished, self.key, self.transcript_hash, "client")
        return caught.value.description

    def test_the_right_one_is_accepted(self):
        check_finished(self.finished(), self.key, self.transcript_hash, "client")

    @pytest.mark.parametrize("position", [0, 24, 47])
    def test_one_wrong_bit_anywhere_is_refused(self, position):
        def flip(body):
            return body[:position] + bytes((body[position] ^ 1,)) + body[position + 1 :]

        assert self.refused(self.finished(flip)) is AlertDescription.DECRYPT_ERROR

    def test_one_over_another_transcript_is_refused(self):
        assert self.refused(self.finished(messages=(TWO,))) is AlertDescription.DECRYPT_ERROR

    @pytest.mark.parametrize("length", [0, 12, 32, 47])
    def test_a_part_of_it_is_not_enough(self, length):
        assert self.refused(self.finished(lambda b: b[:length])) is AlertDescription.DECODE_ERROR

    def test_more_than_it_is_too_much(self):
        assert self.refused(self.finished(lambda b: b + b"\0")) is AlertDescription.DECODE_ERROR


@pytest.mark.parametrize("state", [Over(), Proceeding(), WaitSignature(), WaitVerdict()])
def test_a_state_that_waits_for_us_expects_no_message(state):
    assert state.expects == frozenset()
    with pytest.raises(AssertionError):
        state.on_message(ONE)


def test_what_a_state_waits_for_is_its_own_affair():
    for call in (
        lambda: Proceeding().proceed(),
        lambda: WaitSignature().on_signature(b""),
        lambda: WaitVerdict().on_verdict(tls.Verdict.accept()),
    ):
        with pytest.raises(NotImplementedError):
            call()
