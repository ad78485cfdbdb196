"""The short way of a lone frame of data makes of it what the long one does, or nothing."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.tunnel import DATA, Came, stream_of_lone
from pqproxy.tunnel.frames import FrameType, frame

from .pair import WINDOW, Pair


def opened():
    """(the ingress, its stream)."""
    pair = Pair().up()
    _, theirs = pair.open()
    return pair.ingress, theirs


def test_data_is_its_streams_and_counts_against_the_window():
    ingress, theirs = opened()

    assert stream_of_lone(ingress.streams, frame(FrameType.DATA, theirs.id, b"token")) is theirs
    assert theirs.receive.left == WINDOW - 5


@pytest.mark.parametrize(
    "record",
    [
        b"",
        b"\0\0\1",
        frame(FrameType.DATA, 1, b""),
        frame(FrameType.DATA, 1, b"ab") + frame(FrameType.DATA, 1, b"c"),
        frame(FrameType.DATA, 1, b"ab")[:-1],
        frame(FrameType.DATA, 3, b"ab"),
        frame(FrameType.END, 1),
        frame(FrameType.WINDOW, 1, b"\0\0\1\0"),
        frame(FrameType.DATA, 1, b"x" * (WINDOW + 1)),
    ],
    ids=[
        "nothing",
        "half a header",
        "no data",
        "two frames",
        "cut off",
        "no such stream",
        "an end",
        "a grant",
        "over its window",
    ],
)
def test_all_else_is_left_to_the_long_way(record):
    ingress, theirs = opened()

    assert stream_of_lone(ingress.streams, record) is None
    assert theirs.receive.left == WINDOW


def test_what_comes_after_the_end_is_left_to_the_long_way():
    ingress, theirs = opened()
    ingress.receive([frame(FrameType.END, theirs.id)], 0.0)
    late = frame(FrameType.DATA, theirs.id, b"x")

    assert stream_of_lone(ingress.streams, late) is None
    ((kind, _, error),) = ingress.receive([late], 0.0)
    assert (kind, error.rule) == (Came.BROKEN, "DATA after END")


@given(
    st.one_of(
        st.binary(max_size=40),
        st.builds(
            frame,
            st.sampled_from(FrameType),
            st.sampled_from((0, 1, 2, 3)),
            st.binary(max_size=2 * WINDOW),
        ),
    )
)
def test_both_ways_find_the_same(record):
    ingress, theirs = opened()
    other = copy.deepcopy(ingress)
    found = stream_of_lone(ingress.streams, record)
    events = other.receive([record], 0.0)

    if found is None:
        assert theirs.receive.left == WINDOW
        assert [kind for kind, *_ in events] != [DATA] or len(record) != 8 + len(events[0][2][0])
    else:
        ((kind, stream, pieces),) = events
        assert (kind, stream.id, b"".join(pieces)) == (DATA, found.id, record[8:])
        assert stream.receive.left == found.receive.left
