import pytest

from pqproxy.proxy.buffers import (
    BULK,
    FIRST_READ,
    HEADROOM,
    PAYLOAD,
    RECORD_READ,
    RECORD_ROOM,
    STRIDE,
    TAILROOM,
    BufferPool,
    KeptBatch,
    LooseBatch,
)


def filled(batch, length):
    """Write a pattern as a scattered read would, and say how much came."""
    pattern = bytes(range(256)) * (length // 256 + 1)
    position = 0
    for payload in batch.payloads:
        part = pattern[position : min(position + len(payload), length)]
        payload[: len(part)] = part
        position += len(part)
    batch.length = length
    return pattern[:length]


@pytest.mark.parametrize("length", [1, PAYLOAD - 1, PAYLOAD, PAYLOAD + 1, BULK - 1, BULK])
def test_slots_give_back_what_was_read_into_them(length):
    batch = BufferPool().slots
    pattern = filled(batch, length)

    assert b"".join(batch.views()) == pattern
    spans = [batch.buffer[start : start + size] for start, size in batch.spans()]
    assert b"".join(spans) == pattern


def test_every_slot_has_room_for_headers_before_and_tag_behind():
    batch = BufferPool().slots
    filled(batch, BULK)
    end_of_last = 0
    for start, length in batch.spans():
        assert start - end_of_last >= HEADROOM
        assert length + 8 <= 16_384  # with its frame header it is one record
        end_of_last = start + length + TAILROOM

    assert end_of_last <= len(batch.buffer)
    assert STRIDE * len(batch.payloads) == len(batch.buffer)


def test_a_small_record_may_be_padded_inside_its_slot():
    assert PAYLOAD + TAILROOM >= 1024 + TAILROOM


def test_the_record_buffer_has_room_for_an_incomplete_record_in_front():
    records = BufferPool().records

    assert RECORD_ROOM >= 16_645
    assert len(records.room) == FIRST_READ
    assert len(records.buffer) == RECORD_ROOM + RECORD_READ


def test_keeping_much_lends_the_buffer_and_the_reader_gets_another():
    pool = BufferPool()
    batch = pool.slots
    pattern = filled(batch, BULK)

    kept = batch.keep(batch.views())

    assert pool.slots is not batch
    assert pool.copied == 0
    filled(pool.slots, BULK)
    pool.slots.first[:3] = b"xyz"
    assert b"".join(kept.views) == pattern


def test_a_lent_buffer_is_used_again_once_it_is_released():
    pool = BufferPool()
    batch = pool.slots
    filled(batch, BULK)
    batch.keep(batch.views()).release()

    other = pool.slots
    filled(other, BULK)
    other.keep(other.views())

    assert pool.slots is batch


def test_keeping_little_copies_and_leaves_the_buffer_to_the_reader():
    pool = BufferPool()
    batch = pool.slots
    pattern = filled(batch, 1000)

    kept = batch.keep(batch.views())

    assert pool.slots is batch
    assert pool.copied == 1000
    batch.first[:3] = b"xyz"
    assert b"".join(kept.views) == pattern


def test_past_the_cap_the_rest_is_copied_so_that_readers_always_have_a_buffer():
    pool = BufferPool(cap=2)
    kept = []
    for _ in range(5):
        batch = pool.slots
        filled(batch, BULK)
        kept.append(batch.keep(batch.views()))

    assert pool.copied == 3 * BULK
    for one in kept:
        one.release()
    assert pool.copied == 0


def test_decrypted_records_are_lent_in_the_same_way():
    pool = BufferPool()
    records = pool.records
    records.room[:5] = b"hello"
    records.fill([records.room[:2], records.room[2:100_000]])

    kept = records.keep(records.views())

    assert pool.records is not records
    assert bytes(kept.views[0]) == b"he"
    kept.release()


def test_many_small_fragments_become_one_view():
    """sendmsg refuses more than 1024 buffers."""
    records = BufferPool().records
    records.fill([records.room[i : i + 1] for i in range(5000)])

    assert len(records.views()) == 1
    assert records.length == 5000


def test_what_is_kept_a_second_time_stays_where_it_is():
    pool = BufferPool()
    lent = pool.slots
    pattern = filled(lent, BULK)
    batch = KeptBatch(pool, lent.keep(lent.views()))
    assert (b"".join(batch.views()), batch.length) == (pattern, BULK)

    again = batch.keep(batch.views()[1:])
    batch.done()

    assert pool.copied == 0
    assert pool.slots is not lent
    assert again.size == BULK - PAYLOAD
    assert b"".join(again.views) == pattern[PAYLOAD:]
    assert again.advance(again.size)
    busy = pool.slots
    filled(busy, BULK)
    busy.keep(busy.views())
    assert pool.slots is lent


def test_what_nobody_keeps_a_second_time_is_given_back():
    pool = BufferPool()
    kept = LooseBatch(pool, [b"ab"]).keep([b"ab"])
    kept.append(b"c")
    batch = KeptBatch(pool, kept)
    assert b"".join(batch.views()) == b"abc"
    assert pool.copied == 3

    batch.done()

    assert pool.copied == 0


def test_only_the_first_who_keeps_it_has_it():
    pool = BufferPool()
    batch = KeptBatch(pool, LooseBatch(pool, [b"abcd"]).keep([b"abcd"]))
    first, second = batch.keep([b"ab"]), batch.keep([b"cd"])
    batch.done()

    assert (first.views, second.views) == ([b"ab"], [b"cd"])
    first.release()
    second.release()
    assert pool.copied == 0


def test_loose_bytes_are_copied_when_kept():
    pool = BufferPool()
    data = bytearray(100_000)
    batch = LooseBatch(pool, [memoryview(data)])

    kept = batch.keep(batch.views())
    data[0] = 1

    assert kept.views[0][0] == 0
    assert pool.copied == 100_000


def test_advance_drops_exactly_what_was_sent():
    pool = BufferPool()
    views = [memoryview(b"abc"), memoryview(b"defg"), memoryview(b"h")]
    kept = LooseBatch(pool, views).keep(views)
    kept.append(b"ij")

    assert not kept.advance(4)
    assert b"".join(kept.views) == b"efghij"
    assert not kept.advance(0)
    assert not kept.advance(5)
    assert b"".join(kept.views) == b"j"
    assert kept.advance(1)
    assert pool.copied == 0


def test_past_the_budget_reads_are_pressed_until_it_is_relieved():
    pool = BufferPool(cap=0, budget=2 * PAYLOAD)
    kept = []
    for expected in (False, True):
        batch = pool.slots
        filled(batch, PAYLOAD)
        kept.append(batch.keep(batch.views()))
        assert pool.pressed is expected

    kept.pop().release()

    assert not pool.pressed


def test_frames_are_found_where_a_run_of_records_landed():
    records = BufferPool().records
    assert records.frames_of([memoryview(b"record")]) is None

    landed = records.landing.run(3000).fragments
    frames = records.frames_of([*landed[:3]])
    assert frames.records is landed
    assert records.frames_of([*landed[:1], b"another"]) is frames
    assert records.frames_of([b"another", *landed]) is None
    other = records.landing.run(4000).fragments
    assert records.frames_of([*other[:2]]).records is other
