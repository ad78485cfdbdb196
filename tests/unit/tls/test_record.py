import pytest

from pqproxy.tls import record
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite, ContentType
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.record import (
    MAX_FRAGMENT,
    ReceiveProtection,
    SendProtection,
    plaintext_record,
    small_records,
)
from pqproxy.tls.secrets import Secret
from tests.support.hostile import seal

DATA = ContentType.APPLICATION_DATA
HANDSHAKE = ContentType.HANDSHAKE


def protections(suite=CipherSuite.TLS_AES_128_GCM_SHA256):
    secret = Secret(bytes(SUITES[suite].hash_length))
    return SendProtection(SUITES[suite], secret), ReceiveProtection(SUITES[suite], secret)


def opened(receiving, protected):
    content_type, content = receiving.unprotect(memoryview(bytearray(protected)))
    return content_type, bytes(content)


def refused(call, description):
    with pytest.raises(FatalAlert) as caught:
        call()
    assert caught.value.description is description


# Protection


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("length", [0, 1, 255, 1024, MAX_FRAGMENT])
def test_what_was_protected_comes_back(suite, length):
    sending, receiving = protections(suite)
    content = bytes(range(256)) * 64

    for kind in (DATA, HANDSHAKE):
        protected = seal(sending, kind, content[:length], padding=0)
        assert opened(receiving, protected) == (kind, content[:length])


def test_a_protected_record_looks_like_application_data_of_tls_1_2():
    protected = seal(protections()[0], HANDSHAKE, b"abc")

    assert protected[:5] == bytes.fromhex("17 0303 0014")


def test_zeros_at_the_end_of_the_content_are_no_padding():
    sending, receiving = protections()

    assert opened(receiving, seal(sending, DATA, b"a\0\0\0", padding=7)) == (DATA, b"a\0\0\0")


def test_a_record_of_padding_alone_is_refused():
    sending, receiving = protections()
    nothing = seal(sending, 0, b"", padding=40)

    refused(lambda: opened(receiving, nothing), AlertDescription.UNEXPECTED_MESSAGE)


@pytest.mark.parametrize("position", [0, 1, 2, 3, 4, 5, 8, 9, -1])
def test_a_record_changed_anywhere_is_refused_header_included(position):
    sending, receiving = protections()
    changed = bytearray(seal(sending, DATA, b"abc"))
    changed[position] ^= 1

    refused(lambda: opened(receiving, changed), AlertDescription.BAD_RECORD_MAC)


def test_records_replayed_or_out_of_order_are_refused():
    sending, receiving = protections()
    first, second = seal(sending, DATA, b"1"), seal(sending, DATA, b"2")

    refused(lambda: opened(receiving, second), AlertDescription.BAD_RECORD_MAC)
    assert opened(receiving, first) == (DATA, b"1")
    refused(lambda: opened(receiving, first), AlertDescription.BAD_RECORD_MAC)
    assert opened(receiving, second) == (DATA, b"2")


@pytest.mark.parametrize("length", [0, 1, 15, 16])
def test_a_record_too_short_for_tag_and_type_is_refused(length):
    short = plaintext_record(DATA, bytes(length), 0x0303)

    refused(lambda: opened(protections()[1], short), AlertDescription.BAD_RECORD_MAC)


@pytest.mark.parametrize(
    ("length", "padding"), [(MAX_FRAGMENT, 0), (MAX_FRAGMENT - 9, 9), (0, MAX_FRAGMENT)]
)
def test_the_largest_inner_plaintext_is_accepted(length, padding):
    sending, receiving = protections()

    content = opened(receiving, seal(sending, DATA, b"x" * length, padding))[1]
    assert len(content) == length


@pytest.mark.parametrize(
    ("length", "padding"),
    [(MAX_FRAGMENT + 1, 0), (MAX_FRAGMENT, 1), (1, MAX_FRAGMENT), (16_000, 625)],
)
def test_a_larger_inner_plaintext_is_refused_even_if_it_is_padding(length, padding):
    sending, receiving = protections()
    large = seal(sending, DATA, b"x" * length, padding)

    refused(lambda: opened(receiving, large), AlertDescription.RECORD_OVERFLOW)


def test_each_generation_has_keys_of_its_own():
    sending, receiving = protections()
    next_record = seal(sending.next_generation(), DATA, b"abc")

    refused(lambda: opened(receiving, next_record), AlertDescription.BAD_RECORD_MAC)
    assert opened(receiving.next_generation(), next_record) == (DATA, b"abc")


def test_a_key_update_is_due_at_the_limit_and_not_before(monkeypatch):
    monkeypatch.setattr(record, "REKEY_AFTER", 3)
    sending = protections()[0]
    nonces = [next(sending.data_nonces) for _ in range(3)]

    assert nonces == sorted(set(nonces))
    with pytest.raises(StopIteration):
        next(sending.data_nonces)
    assert next(sending.next_generation().data_nonces)


def test_other_records_share_the_nonces_of_data_and_are_sealed_at_its_limit(monkeypatch):
    """The KeyUpdate itself still goes out under the old key."""
    monkeypatch.setattr(record, "REKEY_AFTER", 1)
    sending, receiving = protections()
    buffer = memoryview(bytearray(64))
    first = bytes(sending.seal(buffer, 5, 1, b"\x17", next(sending.data_nonces)))

    assert opened(receiving, first) == (DATA, b"\0")
    assert opened(receiving, seal(sending, HANDSHAKE, b"x")) == (HANDSHAKE, b"x")


def test_the_limit_is_far_below_that_of_aes_gcm():
    assert record.REKEY_AFTER <= 2**24


def test_encryption_happens_where_the_plaintext_lies():
    buffer = memoryview(bytearray(64))
    buffer[20:23] = b"abc"
    protected = protections()[0].protect(DATA, buffer, 20, 3)

    assert protected.obj is buffer.obj
    assert bytes(buffer[15 : 15 + len(protected)]) == bytes(protected)
    assert not any(buffer[:15])
    assert not any(buffer[15 + len(protected) :])


@pytest.mark.parametrize("length", [100, 2046, 2047, 2048, 4000])
@pytest.mark.parametrize("padding", [0, 1, 700])
def test_records_on_either_side_of_being_copied_come_back(length, padding):
    """Small ones are decrypted into a copy, others where they lie."""
    sending, receiving = protections()
    content = b"\x17\0" * length

    for kind in (DATA, HANDSHAKE):
        protected = seal(sending, kind, content[:length], padding)
        assert opened(receiving, protected) == (kind, content[:length])


@pytest.mark.parametrize("multiple", [0, 256, 300])
def test_what_is_known_of_small_records_is_what_protect_makes(multiple):
    for length, (behind, header) in enumerate(small_records(multiple)):
        inner = length + len(behind)
        assert header == bytes.fromhex("170303") + (inner + 16).to_bytes(2, "big")
        assert behind == b"\x17".ljust(len(behind), b"\0")
        assert inner % multiple == 0 if multiple else behind == b"\x17"


def small(receiving, protected, more=0):
    """What `unprotect_small` makes of a record in a buffer, and the buffer."""
    view = memoryview(bytearray(protected) + bytes(20))
    return receiving.unprotect_small(view, 0, len(protected) + more), view


@pytest.mark.parametrize(("length", "padding"), [(5, 0), (5, 250), (2000, 0), (1, 1)])
def test_a_small_record_of_a_known_length_is_read_at_once(length, padding):
    sending, receiving = protections()
    first, second, third = (seal(sending, DATA, bytes([n]) * length, padding) for n in range(3))
    assert opened(receiving, first) == (DATA, bytes(length))  # by now its length is known

    assert small(receiving, second)[0] == b"\1" * length
    assert small(receiving, third)[0] == b"\2" * length


@pytest.mark.parametrize(
    "what", ["handshake", "empty", "changed", "cut", "more", "large", "nothing"]
)
def test_what_is_no_small_record_of_data_is_left_as_it_is(what):
    """It is looked at once more, from the beginning, and judged then."""
    sending, receiving = protections()
    opened(receiving, seal(sending, DATA, b"12345", 10))
    kind = HANDSHAKE if what == "handshake" else DATA
    content = {"empty": b"", "large": bytes(3000)}.get(what, b"12345")
    one = bytearray(seal(sending, kind, content, 15 - len(content) if len(content) < 15 else 0))
    one[-1] ^= what == "changed"
    seen = one[: {"cut": -1, "nothing": 3}.get(what)]

    found, view = small(receiving, seen, more=what == "more")

    assert found is None
    assert bytes(view[: len(seen)]) == seen
    if what == "changed":
        refused(lambda: opened(receiving, one), AlertDescription.BAD_RECORD_MAC)
    else:
        assert opened(receiving, one) == (kind, content)
