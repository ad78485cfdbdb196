"""Data is told apart from everything else by a number that is cheap to compare."""

import pytest

from pqproxy.tunnel import DATA, Came
from pqproxy.tunnel.frames import FrameType


@pytest.mark.parametrize("came", Came)
def test_nothing_else_is_taken_for_data(came):
    assert came != DATA


def test_data_is_the_type_on_the_wire():
    assert type(DATA) is int
    assert DATA == FrameType.DATA
