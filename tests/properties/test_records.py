"""What holds for every record: layouts of slots in a buffer, chunks of a stream, any bytes."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite, ContentType
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.padding import padding_length
from pqproxy.tls.record import (
    HEADROOM,
    MAX_RECORD,
    TAILROOM,
    ReceiveProtection,
    SendProtection,
    plaintext_record,
)
from pqproxy.tls.record_reader import RecordReader
from pqproxy.tls.secrets import Secret

DATA = ContentType.APPLICATION_DATA
UNTOUCHED = 0xA5

suites = st.sampled_from(list(SUITES))
kinds = st.sampled_from([ContentType.ALERT, ContentType.HANDSHAKE, DATA])
fragments = st.one_of(st.binary(max_size=300), st.integers(1000, 3000).map(lambda n: b"\0x" * n))


def protections(suite):
    secret = Secret(bytes(range(SUITES[suite].hash_length)))
    return SendProtection(SUITES[suite], secret), ReceiveProtection(SUITES[suite], secret)


def result_or_alert(call):
    try:
        return call()
    except FatalAlert as error:
        return error.description


def cut(reader, protected=True):
    found = []
    while (record := reader.next_record(protected=protected)) is not None:
        found.append(record)
    return found


@given(
    suites,
    st.lists(
        st.tuples(kinds, fragments, st.integers(0, 300), st.integers(0, 40)), min_size=1, max_size=5
    ),
)
def test_slots_of_any_layout_are_protected_where_they_lie_and_nothing_beside_them(suite, slots):
    """A slot is room for the header, the fragment, and room for padding and tag; gaps are not
    ours."""
    sending, receiving = protections(suite)
    size = sum(
        gap + HEADROOM + len(fragment) + padding + TAILROOM for _, fragment, padding, gap in slots
    )
    buffer = memoryview(bytearray([UNTOUCHED]) * (size + 1))
    position, stream, gaps = 0, bytearray(), []
    for kind, fragment, padding, gap in slots:
        gaps.append((position, position + gap))
        start = position + gap + HEADROOM
        buffer[start : start + len(fragment)] = fragment
        record = sending.protect(kind, buffer, start, len(fragment), padding)
        assert len(record) == HEADROOM + len(fragment) + padding + TAILROOM
        stream += record
        position = start + len(fragment) + padding + TAILROOM
    reader = RecordReader()
    reader.lend(stream, 0)
    found = [(kind, bytes(content)) for kind, content in map(receiving.unprotect, cut(reader))]

    assert found == [(kind, fragment) for kind, fragment, _, _ in slots]
    untouched = b"".join(buffer[start:end] for start, end in gaps) + buffer[position:]
    assert set(untouched) == {UNTOUCHED}


@given(st.integers(0, 2000), st.sampled_from([0, 256]), st.integers(2000, 2**14))
def test_padding_is_never_negative_and_never_beyond_the_limit(length, multiple, limit):
    assert 0 <= padding_length(length, multiple, limit) <= limit - length


@given(
    st.lists(st.tuples(kinds, st.binary(max_size=60)), max_size=6),
    st.data(),
)
def test_records_come_out_whole_however_the_stream_is_cut_and_lent(records, data):
    """Read-only, writable, with room in front, held in between: always the same records."""
    wanted = [plaintext_record(kind, content, 0x0303) for kind, content in records]
    stream, reader, found = b"".join(wanted), RecordReader(), []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        room = data.draw(st.sampled_from([0, 3, 50, MAX_RECORD]))
        piece, stream = stream[:size], stream[size:]
        scratch = bytearray(room) + piece
        reader.lend(bytes(scratch) if data.draw(st.booleans()) else scratch, room)
        if data.draw(st.booleans()):
            reader.keep()
        found += [bytes(record) for record in cut(reader)]
        scratch[:] = bytes(len(scratch))  # the lender has its buffer back

    assert found == wanted
    assert reader.held == 0


@settings(max_examples=300)
@given(st.binary(max_size=64), st.booleans())
def test_any_bytes_are_records_or_refused(data, protected):
    reader = RecordReader()
    reader.lend(data, 0)
    outcome = result_or_alert(lambda: cut(reader, protected))

    if isinstance(outcome, list):
        assert b"".join(outcome) == data[: len(data) - reader.held]
    else:
        refusals = AlertDescription.UNEXPECTED_MESSAGE, AlertDescription.RECORD_OVERFLOW
        assert outcome in refusals


@given(st.binary(max_size=80))
def test_no_bytes_decrypt_but_those_that_were_encrypted(data):
    receiving = protections(CipherSuite.TLS_AES_128_GCM_SHA256)[1]
    record = memoryview(bytearray(plaintext_record(DATA, data, 0x0303)))

    outcome = result_or_alert(lambda: receiving.unprotect(record))
    assert outcome is AlertDescription.BAD_RECORD_MAC
