"""Frames leave in their order, in as few records as it fits, none across two."""

from hypothesis import given
from hypothesis import strategies as st

from pqproxy.tunnel import Budget, Stream
from pqproxy.tunnel.frames import HEADER, FrameType
from pqproxy.tunnel.outbox import Outbox
from pqproxy.tunnel.windows import ReceiveWindow


def stream(number=1, window=1 << 30):
    return Stream(number, window, ReceiveWindow(Budget(), 0, 0.0))


def frames_of(record):
    """(type, stream, payload) of each frame; they fill the record."""
    data, position, found = b"".join(record), 0, []
    while position < len(data):
        word, number = HEADER.unpack_from(data, position)
        end = position + 8 + (word >> 8)
        assert end <= len(data), "a frame spans records"
        found.append((word & 0xFF, number, data[position + 8 : end]))
        position = end
    return found


def test_small_frames_of_many_streams_leave_in_one_record():
    outbox = Outbox(16_384)
    for number in (1, 3, 5):
        outbox.put_data(stream(number), b"token %d" % number)
    outbox.put(FrameType.END, 3)
    (record,) = outbox.take(16)

    assert frames_of(record) == [
        (2, 1, b"token 1"),
        (2, 3, b"token 3"),
        (2, 5, b"token 5"),
        (3, 3, b""),
    ]
    assert outbox.take(16) == []
    assert outbox.length == 0


def test_data_is_taken_off_the_window():
    one = stream(window=100)
    Outbox(16_384).put_data(one, b"x" * 60)

    assert one.send_window == 40


@given(
    st.lists(st.integers(0, 1016), min_size=1, max_size=40),
    st.integers(1, 5),
)
def test_no_frame_is_cut_lost_or_overtaken(lengths, at_most):
    outbox, sent, taken = Outbox(1024), [], []
    one = stream()
    for number, length in enumerate(lengths):
        data = bytes([number]) * length
        outbox.put_data(one, data)
        sent.append((2, 1, data))
    while records := outbox.take(at_most):
        assert len(records) <= at_most
        for record in records:
            assert sum(map(len, record)) <= 1024
            taken += frames_of(record)

    assert taken == sent
    assert outbox.length == 0


def test_only_the_last_ping_and_the_last_pong_wait():
    outbox = Outbox(16_384)
    for number in range(1000):
        outbox.pong = number.to_bytes(8, "big")
        outbox.ping = b"p" * 8
    (record,) = outbox.take(16)

    assert frames_of(record) == [(6, 0, b"p" * 8), (7, 0, (999).to_bytes(8, "big"))]


def test_endings_are_counted_until_they_are_taken():
    outbox = Outbox(16_384)
    for kind in (FrameType.OPEN, FrameType.RESET, FrameType.END, FrameType.GOAWAY):
        outbox.put(kind, 1)
    assert outbox.endings == 2
    outbox.take(16)

    assert outbox.endings == 0


def test_what_fits_one_small_record_is_taken_as_its_plaintext():
    outbox = Outbox(16_384)
    outbox.put_data(stream(), b"token")
    outbox.put(FrameType.END, 1)
    assert outbox.endings == 1

    taken = outbox.take_small(1024)

    assert frames_of([taken]) == [(2, 1, b"token"), (3, 1, b"")]
    assert outbox.is_empty()
    assert (outbox.length, outbox.endings) == (0, 0)
    assert outbox.take_small(1024) is None


def test_what_is_not_small_or_waits_in_a_slot_is_left():
    for leave in ("long", "ping", "pong", "many"):
        outbox = Outbox(2048)
        outbox.put_data(stream(), b"x" * (1016 if leave == "long" else 1015))
        if leave == "ping":
            outbox.ping = bytes(8)
        elif leave == "pong":
            outbox.pong = bytes(8)
        elif leave == "many":
            outbox.put_data(stream(3), b"y" * 1100)
            outbox.put_data(stream(5), b"z")
        before = outbox.length

        assert (leave, outbox.take_small(1024)) == (leave, None)
        assert outbox.length == before


def test_a_frame_in_a_slot_is_something_to_send():
    for name in ("ping", "pong"):
        outbox = Outbox(16_384)
        assert not outbox.has_something
        setattr(outbox, name, bytes(8))
        assert outbox.has_something
        outbox.take(16)
        assert not outbox.has_something
