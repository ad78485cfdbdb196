"""What comes as a run is found to be what its records one by one would be, or nothing."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.tunnel import DATA, FrameRun
from pqproxy.tunnel.frames import FrameType, frame
from pqproxy.tunnel.runs import write_headers

from .pair import WINDOW, Pair

SIZE = 100  # of a payload
FIT = WINDOW // SIZE  # so many of them a window has room for


def opened(streams=2):
    """(the ingress, its streams)."""
    pair = Pair().up()
    return pair.ingress, [pair.open()[1] for _ in range(streams)]


def data(stream, byte=b"x", size=SIZE):
    return frame(FrameType.DATA, stream, byte * size)


def laid(*frames):
    """Records where a run of them lies, and behind them places for two more."""
    size = len(frames[0])
    memory = bytearray(b"".join(frames) + bytes(2 * size))
    view = memoryview(memory)
    return FrameRun([view[at : at + size] for at in range(0, len(memory), size)])


def test_a_run_is_all_its_streams_and_counts_against_the_window():
    ingress, (stream, _) = opened()
    run = laid(*[data(stream.id, b"%d" % number) for number in range(3)])
    ((found, pieces),) = run.take(ingress.streams, 3)

    assert found is stream
    assert [bytes(piece) for piece in pieces] == [b"0" * SIZE, b"1" * SIZE, b"2" * SIZE]
    assert stream.receive.left == WINDOW - 3 * SIZE


def test_the_views_of_a_run_are_made_once():
    ingress, (stream, _) = opened()
    run = laid(data(stream.id), data(stream.id))
    (_, first), (_, second) = run.take(ingress.streams, 2) + run.take(ingress.streams, 2)

    assert all(one is other for one, other in zip(first, second, strict=True))


def test_what_streams_say_by_turns_is_put_together():
    """Each then goes on with one system call, instead of one for each record."""
    ingress, (one, other) = opened()
    run = laid(data(one.id, b"a"), data(other.id, b"b"), data(one.id, b"c"))
    found = [(stream, b"".join(pieces)) for stream, pieces in run.take(ingress.streams, 3)]

    assert found == [(one, b"a" * SIZE + b"c" * SIZE), (other, b"b" * SIZE)]
    assert (one.receive.left, other.receive.left) == (WINDOW - 2 * SIZE, WINDOW - SIZE)


@pytest.mark.parametrize(
    "records",
    [
        [data(1), data(9)],
        [data(1), frame(FrameType.WINDOW, 1, bytes(SIZE))],
        [frame(FrameType.WINDOW, 1, bytes(SIZE)), data(1)],
        [data(1), data(1, size=SIZE - 20) + data(1, size=20 - 8)],
        [data(1)] * (FIT + 1),
        [data(3), *[data(1)] * (FIT + 1)],
    ],
    ids=[
        "no such stream",
        "a grant behind",
        "a grant before",
        "two frames",
        "over its window",
        "one of two over its window",
    ],
)
def test_all_else_is_left_to_the_long_way(records):
    ingress, streams = opened()

    assert laid(*records).take(ingress.streams, len(records)) == []
    assert [stream.receive.left for stream in streams] == [WINDOW, WINDOW]


def test_what_comes_after_the_end_is_left_to_the_long_way():
    ingress, (stream, _) = opened()
    ingress.receive([frame(FrameType.END, stream.id)], 0.0)

    assert laid(data(stream.id), data(stream.id)).take(ingress.streams, 2) == []


def test_only_what_lies_at_the_places_of_a_run_is_counted():
    run = laid(data(1), data(1), data(1))
    elsewhere = data(1)

    assert run.count(run.records[:3]) == 3
    assert run.count([*run.records[:2], elsewhere]) == 2
    assert run.count([elsewhere]) == 0
    assert run.count([]) == 0
    assert run.count([*run.records, elsewhere]) == len(run.records)


@given(
    st.lists(
        st.builds(
            frame,
            st.sampled_from((FrameType.DATA, FrameType.DATA, FrameType.PONG)),
            st.sampled_from((1, 1, 3, 5)),
            st.just(bytes(SIZE)),
        ),
        min_size=1,
        max_size=FIT + 4,
    )
)
def test_both_ways_find_the_same(records):
    ingress, streams = opened()
    other = copy.deepcopy(ingress)
    shares = laid(*records).take(ingress.streams, len(records))
    wanted = {}
    for kind, stream, value in other.receive(list(records), 0.0):
        wanted.setdefault(stream.id if kind == DATA else kind, []).extend(
            value if kind == DATA else ()
        )

    if shares:
        assert set(wanted) == {stream.id for stream, _ in shares}
        for stream, pieces in shares:
            assert [bytes(piece) for piece in pieces] == wanted[stream.id]
            assert stream.receive.left == other.streams[stream.id].receive.left
    else:
        assert [stream.receive.left for stream in streams] == [WINDOW, WINDOW]


def test_headers_are_written_at_each_place_and_nowhere_else():
    _, (stream, _) = opened()
    memory = bytearray(b"." * 100)
    write_headers(memory, range(5, 65, 30), 0x010203, stream)

    header = b"\x01\x02\x03\x02" + stream.id.to_bytes(4, "big")
    assert memory == b"." * 5 + header + b"." * 22 + header + b"." * 57
