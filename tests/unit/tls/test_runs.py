from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import CipherSuite
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.record import MAX_RECORD, ReceiveProtection, SendProtection
from pqproxy.tls.runs import Landing, Run
from pqproxy.tls.secrets import Secret
from tests.support.hostile import seal

SUITE = SUITES[CipherSuite.TLS_AES_128_GCM_SHA256]
SECRET = Secret(bytes(32))
HANDSHAKE, DATA = 22, 23
FULL = 3000  # of content and padding together
ROOM = MAX_RECORD


@dataclass(frozen=True)
class Made:
    """A record to be made; one that is changed does not decrypt."""

    kind: int = DATA
    length: int = FULL
    padding: int = 0
    changed: bool = False


full = Made()
padded = Made(length=10, padding=FULL - 10)
empty = Made(length=0, padding=FULL)
key_update = Made(HANDSHAKE, 5, FULL - 5)
short = Made(length=2500)
changed = Made(changed=True)


def stream_of(records):
    sending = SendProtection(SUITE, SECRET)
    stream = bytearray()
    for number, one in enumerate(records):
        record = bytearray(seal(sending, one.kind, bytes([number + 1]) * one.length, one.padding))
        record[-1] ^= one.changed
        stream += record
    return stream


def landed(stream):
    """(a landing with the stream in it, where that ends)."""
    memory = bytearray(ROOM) + stream + bytes(MAX_RECORD)
    return Landing(memory, ROOM), ROOM + len(stream)


def walk(receiving, landing, end, *, in_runs):
    """(where it stopped, data in pieces and other contents, an alert or "stop")."""
    position, found, ended = landing.start, [], None
    while ended is None:
        data, other = [], None
        try:
            if in_runs and position == landing.start:
                position, other = receiving.unprotect_run(landing, end, data)
            if other is None:
                stop = receiving.unprotect_data(landing.view, position, end, data)
                position, other = (end, None) if stop is None else stop
                ended = "stop" if other is None else None
        except FatalAlert as alert:
            position, ended = None, alert.description
        found += [(DATA, bytes(piece)) for piece in data]
        if other is not None:
            found.append((other[0], bytes(other[1])))
    return position, found, ended


def same_either_way(records, cut=0):
    stream = stream_of(records)
    del stream[len(stream) - cut :]
    one, run = ReceiveProtection(SUITE, SECRET), ReceiveProtection(SUITE, SECRET)
    wanted = walk(one, *landed(stream), in_runs=False)
    assert walk(run, *landed(stream), in_runs=True) == wanted
    return wanted


def test_a_run_knows_its_records_and_their_parts():
    buffer = bytearray(range(100))
    run = Run(buffer, start=3, size=30, stride=40)

    assert [bytes(record) for record in run.records] == [bytes(buffer[3:33]), bytes(buffer[43:73])]
    assert bytes(run.bodies[1]) == bytes(buffer[48:73])
    assert bytes(run.contents[1]) == bytes(buffer[48:57])
    assert bytes(run.fragments[1]) == bytes(buffer[48:56])
    assert bytes(run.types) == bytes([16, 56])


def test_what_is_written_stands_around_the_fragments_and_nowhere_else():
    buffer = bytearray(b"." * 100)
    run = Run(buffer, start=3, size=30, stride=33)
    run.write(1, 2, b"HEADE", ord("T"))

    assert bytes(buffer) == b"." * 36 + b"HEADE" + b"." * 8 + b"T" + b"." * 50


def test_records_with_the_same_header_are_counted_up_to_one_that_differs_anywhere():
    buffer = bytearray(b"HEADE" + bytes(25)) * 10
    run = Run(buffer, start=0, size=30, stride=30)

    assert run.count(b"HEADE", 10) == 10
    assert run.count(b"HEADE", 4) == 4
    assert run.count(b"HEADX", 10) == 0
    for byte in range(5):
        buffer[30 * (9 - byte) + byte] ^= 1
        assert run.count(b"HEADE", 10) == 9 - byte


def test_the_views_of_a_landing_are_made_once_for_a_size():
    landing, _ = landed(bytes(100_000))

    assert landing.run(3022) is landing.run(3022)
    assert landing.run(4000).size == 4000


def test_a_landing_is_as_long_as_the_whole_records_that_fit_it():
    """A read of so much brings no part of a record, of which the rest would come with the next."""
    landing = Landing(bytearray(10_000), 1000)

    assert (landing.length, landing.fragments) == (9000, [])
    run = landing.run(2500)
    assert landing.length == 7500
    assert landing.fragments is run.fragments


@pytest.mark.parametrize(
    "records",
    [
        [full] * 6,
        [full, full, short, full],
        [short, full, full],
        [full, padded, full],
        [full, full, key_update, full],
        [key_update, full],
        [full, empty, full],
        [full, full, changed, full],
        [Made(length=2**14)] * 3,
        [Made(length=10)] * 5,
        [],
    ],
)
def test_a_run_is_read_as_its_records_one_by_one_would_be(records):
    same_either_way(records)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.sampled_from([full, full, full, padded, empty, key_update, short, changed]), max_size=9
    ),
    st.integers(0, 3100),
)
def test_runs_and_single_records_are_the_same_however_they_are_mixed_and_cut(records, cut):
    same_either_way(records, cut)


def test_the_key_is_not_used_beyond_a_record_that_may_change_it():
    """A KeyUpdate that was padded to the length of data: what follows comes under the next key."""
    sending, receiving = SendProtection(SUITE, SECRET), ReceiveProtection(SUITE, SECRET)
    stream = seal(sending, DATA, bytes(FULL)) + seal(sending, HANDSHAKE, b"12345", FULL - 5)
    following = seal(sending.next_generation(), DATA, bytes(FULL))
    landing, end = landed(stream + following)
    data = []

    position, (kind, content) = receiving.unprotect_run(landing, end, data)

    assert (len(data), kind, bytes(content)) == (1, HANDSHAKE, b"12345")
    assert bytes(landing.view[position:end]) == following
    receiving.next_generation().unprotect_data(landing.view, position, end, data)
    assert bytes(data[1]) == bytes(FULL)


def test_an_empty_padded_record_is_handed_up_as_what_it_is():
    """Whoever counts floods of them has to hear of it."""
    position, found, ended = same_either_way([full, empty, full])

    assert found[1] == (DATA, b"")
    assert ended == "stop"
    assert position == ROOM + 3 * (FULL + 22)


def test_all_padding_is_refused():
    assert same_either_way([full, Made(0, 0, FULL)])[2] is AlertDescription.UNEXPECTED_MESSAGE
