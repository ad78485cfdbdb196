import dataclasses
from dataclasses import field

import pytest

from pqproxy.tls.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 0


def test_values_are_equal_and_found_by_their_fields():
    assert Point(1) == Point(1, 0) != Point(1, 2)
    assert {Point(1): "here"}[Point(1)] == "here"
    assert repr(Point(1)) == "Point(x=1, y=0)"


def test_a_changed_value_is_another_one():
    point = Point(1)

    assert replace(point, y=2) == dataclasses.replace(point, y=2) == Point(1, 2)
    assert point == Point(1)


def test_what_is_not_compared_is_carried_over_too():
    @dataclass(frozen=True, slots=True)
    class Named:
        number: int
        names: str = field(default="none", repr=False, compare=False)

    assert replace(Named(1, "some"), number=2).names == "some"


def test_a_change_of_what_is_not_there_is_an_error():
    with pytest.raises(TypeError, match="z"):
        replace(Point(1), z=3)


def test_a_value_has_no_room_for_what_it_was_not_made_with():
    with pytest.raises(AttributeError):
        Point(1).z = 3


def test_what_is_compared_by_identity_stays_so():
    """Two holders of a secret are not told apart by comparing it."""

    @dataclass(frozen=True, slots=True, eq=False)
    class Holder:
        secret: bytes

    assert Holder(b"") != Holder(b"")
