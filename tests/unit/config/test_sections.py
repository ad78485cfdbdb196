from typing import Annotated

import pytest
from pydantic import ValidationError

from pqproxy.config.problems import BROKEN
from pqproxy.config.sections import Section, leaf


class Inner(Section):
    word: str = "x"


class Outer(Section):
    inner: Inner
    words: list[str]


def test_broken_passes_where_a_section_belongs():
    assert Outer.model_validate({"inner": BROKEN, "words": []}).inner is BROKEN


def test_broken_passes_where_a_field_belongs():
    assert Outer.model_validate({"inner": {"word": BROKEN}, "words": BROKEN}).words is BROKEN


def test_broken_passes_a_leaf_without_being_parsed():
    class Leafy(Section):
        numbers: list[Annotated[int, leaf(int)]]

    assert Leafy.model_validate({"numbers": [BROKEN, "7"]}).numbers == [BROKEN, 7]


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError, match="extra_forbidden"):
        Inner.model_validate({"wrod": "x"})


def test_sections_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        Inner().word = "y"
