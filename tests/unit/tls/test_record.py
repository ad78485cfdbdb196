import pytest

from pqproxy.tls import record
from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite, ContentType
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.record import (
    MAX_CIPHERTEXT,
    MAX_FRAGMENT,
    MAX_RECORD,
    ReceiveProtection,
    RecordReader,
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


def cut(stream, protected=False, room=0):
    reader = RecordReader()
    reader.lend(stream, room)
    found = []
    while (one := reader.next_record(protected=protected)) is not None:
        found.append(bytes(one))
    return found, reader


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
    nonces = [sending.next_data_nonce() for _ in range(3)]

    assert nonces == sorted(set(nonces))
    with pytest.raises(StopIteration):
        sending.next_data_nonce()
    assert sending.next_generation().next_data_nonce()


def test_other_records_share_the_nonces_of_data_and_are_sealed_at_its_limit(monkeypatch):
    """The KeyUpdate itself still goes out under the old key."""
    monkeypatch.setattr(record, "REKEY_AFTER", 1)
    sending, receiving = protections()
    buffer = memoryview(bytearray(64))
    first = bytes(sending.seal(buffer, 5, 1, b"\x17", sending.next_data_nonce()))

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


# Reading


@pytest.mark.parametrize(
    ("kind", "protected", "limit"),
    [
        (HANDSHAKE, False, MAX_FRAGMENT),
        (ContentType.ALERT, False, MAX_FRAGMENT),
        (DATA, False, MAX_CIPHERTEXT),
        (DATA, True, MAX_CIPHERTEXT),
    ],
)
def test_a_record_at_its_limit_is_read_and_one_byte_more_is_refused_by_its_header(
    kind, protected, limit
):
    assert len(cut(plaintext_record(kind, bytes(limit), 0x0303), protected)[0]) == 1
    header = plaintext_record(kind, bytes(limit + 1), 0x0303)[:5]
    refused(lambda: cut(header, protected), AlertDescription.RECORD_OVERFLOW)


def test_the_largest_record_fits_the_room_that_is_asked_for():
    assert MAX_RECORD == 5 + 2**14 + 256


@pytest.mark.parametrize("version", [0, 0x0300, 0x0301, 0x0303, 0x0304, 0xFFFF])
def test_the_version_of_a_record_is_ignored(version):
    stream = plaintext_record(HANDSHAKE, b"abc", version)

    assert cut(stream)[0] == [stream]


@pytest.mark.parametrize("first", [b"G", b"P", b"\x80", b"\x00", b"\x13", b"\x18", b"\xff"])
def test_what_is_not_tls_is_known_by_its_first_byte(first):
    reader = RecordReader()
    reader.lend(first, 0)

    refused(lambda: reader.next_record(protected=False), AlertDescription.UNEXPECTED_MESSAGE)
    assert not reader.is_tls


def test_what_is_not_tls_is_shown_as_a_person_knows_it():
    reader = RecordReader()
    reader.lend(b"GET / HTTP/1.1", 0)

    with pytest.raises(FatalAlert, match="not TLS but text: the first byte is b'G'"):
        reader.next_record(protected=False)


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (b"GET /v1/models HTTP/1.1\r\n", True),
        (b"HTTP/1.1 400 Bad Request\r\n", True),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", True),
        (b"SSH-2.0-OpenSSH_9.2\r\n", True),
        (b"G", True),
        (b"GET /\0/garbage behind", False),
        (b"\x00\x00\x00\x08\x04\xd2\x16\x2f", False),
        ("\xfcber".encode(), False),
    ],
)
def test_text_instead_of_tls_is_told_from_garbage(stream, text):
    """Somebody speaks plain HTTP to a port for TLS: that can be mended, garbage cannot."""
    reader = RecordReader()
    reader.lend(stream, 0)

    refused(lambda: reader.next_record(protected=False), AlertDescription.UNEXPECTED_MESSAGE)
    assert not reader.is_tls
    assert reader.is_text is text


def test_an_unknown_type_later_on_is_still_tls():
    reader = RecordReader()
    reader.lend(plaintext_record(HANDSHAKE, b"abc", 0x0303) + b"\x18", 0)
    reader.next_record(protected=False)

    refused(lambda: reader.next_record(protected=False), AlertDescription.UNEXPECTED_MESSAGE)
    assert reader.is_tls


def test_an_empty_record_is_a_record():
    assert cut(plaintext_record(DATA, b"", 0x0303))[0] == [bytes.fromhex("1703030000")]


@pytest.mark.parametrize("room", [0, 2, 7, 100])
def test_an_incomplete_record_is_kept_whatever_room_there_is(room):
    stream = plaintext_record(HANDSHAKE, b"abc", 0x0303)
    _, reader = cut(stream[:6])
    assert reader.held == 6
    reader.lend(bytearray(bytes(room) + stream[6:] + stream), room)

    assert bytes(reader.next_record(protected=False)) == stream
    assert bytes(reader.next_record(protected=False)) == stream
    assert reader.next_record(protected=False) is None
    assert reader.held == 0


def test_records_are_views_into_the_buffer_that_was_lent():
    buffer = bytearray(bytes(10) + plaintext_record(HANDSHAKE, b"abc", 0x0303))
    reader = RecordReader()
    reader.lend(buffer, 10)

    assert reader.next_record(protected=False).obj is buffer


def test_bytes_are_never_changed_in_place():
    stream = plaintext_record(HANDSHAKE, b"abc", 0x0303)
    reader = RecordReader()
    reader.lend(stream, 0)
    reader.next_record(protected=False)[5] = 0

    assert stream[5:] == b"abc"


def test_what_was_kept_survives_the_reuse_of_the_buffer():
    stream = plaintext_record(HANDSHAKE, b"abc", 0x0303)
    buffer = bytearray(stream * 2)
    reader = RecordReader()
    reader.lend(buffer, 0)
    reader.next_record(protected=False)
    reader.keep()
    buffer[:] = bytes(len(buffer))

    assert bytes(reader.next_record(protected=False)) == stream


def test_what_is_dropped_is_gone():
    _, reader = cut(b"\x16\x03")
    reader.drop()

    assert reader.held == 0
