import pytest

from pqproxy import tls
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codec import Writer
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_schedule import SUITES, EarlySecret
from pqproxy.tls.pre_shared_key import (
    OUR_MODES,
    OfferedPsks,
    PskIdentity,
    read_psk_key_exchange_modes,
    takes_tickets,
    with_pre_shared_key,
)
from tests.support.playbook import SUITE_OF_HASH, Schedule, client_hello, message

DECODE_ERROR, ILLEGAL_PARAMETER = (
    AlertDescription.DECODE_ERROR,
    AlertDescription.ILLEGAL_PARAMETER,
)
MODES = ExtensionType.PSK_KEY_EXCHANGE_MODES


def refused(data, read=OfferedPsks.read):
    with pytest.raises(FatalAlert) as caught:
        read(data)
    return caught.value.description


def offer(identities, binders):
    first = b"".join(Writer().opaque(i, 2).uint(9, 4).finish() for i in identities)
    second = b"".join(Writer().opaque(b, 1).finish() for b in binders)
    return Writer().opaque(first, 2).opaque(second, 2).finish()


def test_identities_and_binders_are_read_in_their_order():
    read = OfferedPsks.read(offer([b"a", b"b"], [bytes(32), bytes(255)]))

    assert read.identities == (PskIdentity(b"a", 9), PskIdentity(b"b", 9))
    assert read.binders == (bytes(32), bytes(255))
    assert read.write() == offer([b"a", b"b"], [bytes(32), bytes(255)])


@pytest.mark.parametrize(
    ("identities", "binders", "description"),
    [
        ([], [bytes(32)], DECODE_ERROR),
        ([b"a"], [], DECODE_ERROR),
        ([b""], [bytes(32)], DECODE_ERROR),
        ([b"a"], [bytes(31)], DECODE_ERROR),
        ([b"a", b"b"], [bytes(32)], ILLEGAL_PARAMETER),
        ([b"a"], [bytes(32), bytes(32)], ILLEGAL_PARAMETER),
    ],
)
def test_lists_that_are_empty_or_do_not_match_are_refused(identities, binders, description):
    assert refused(offer(identities, binders)) is description


def test_trailing_bytes_are_refused():
    assert refused(offer([b"a"], [bytes(32)]) + b"\0") is DECODE_ERROR


@pytest.mark.parametrize("data", [b"", b"\0", b"\2\1", b"\1\1\1"])
def test_modes_that_do_not_parse_are_refused(data):
    assert refused(data, read_psk_key_exchange_modes) is DECODE_ERROR


@pytest.mark.parametrize(
    ("modes", "takes"),
    [(b"\1\1", True), (b"\3\x4a\0\1", True), (b"\1\0", False), (None, False)],
)
def test_only_a_client_that_exchanges_keys_beside_a_ticket_takes_one(modes, takes):
    """psk_ke alone would be a session without forward secrecy, and without ML-KEM."""
    assert takes_tickets(client_hello({MODES: modes})) is takes


def test_we_offer_the_mode_with_a_key_exchange_and_no_other():
    assert OUR_MODES == b"\1\1"


@pytest.mark.parametrize("hash_name", ["sha256", "sha384"])
@pytest.mark.parametrize("retry", [False, True])
def test_a_hello_is_bound_to_the_key_it_offers(hash_name, retry):
    """Checked against §4.3.11.2 written a second time; after a retry it covers that too."""
    suite, psk = (
        SUITES[SUITE_OF_HASH[hash_name]],
        b"p" * SUITES[SUITE_OF_HASH[hash_name]].hash_length,
    )
    before = (message(1, b"first"), message(2, bytes(40))) if retry else ()
    transcript = Transcript(suite)
    for said in before:
        transcript = transcript.plus(said)
    early = EarlySecret.with_psk(suite, tls.Secret(psk))

    hello = with_pre_shared_key(client_hello(), PskIdentity(b"ticket", 7), early, transcript)

    assert list(hello.extensions)[-1] == ExtensionType.PRE_SHARED_KEY
    psks = OfferedPsks.read(hello.extensions[ExtensionType.PRE_SHARED_KEY])
    assert psks.identities == (PskIdentity(b"ticket", 7),)
    schedule = Schedule(hash_name, b"", psk)
    covered = hello.message().encode()[: -3 - suite.hash_length]
    assert psks.binders == (schedule.binder(covered, before),)
    assert psks.truncate(hello.message()) == covered
