import pytest

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import ContentType
from pqproxy.tls.record import MAX_CIPHERTEXT, MAX_FRAGMENT, MAX_RECORD, plaintext_record
from pqproxy.tls.record_reader import RecordReader

DATA = ContentType.APPLICATION_DATA
HANDSHAKE = ContentType.HANDSHAKE


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
