import argparse

import pytest

from bench.__main__ import _peers, selected
from bench.scenarios import SCENARIOS


def names(words, quick=False):
    return {row.name for scenario in selected(words, quick=quick) for row in scenario.rows}


def test_without_a_word_everything_runs():
    assert selected([]) == list(SCENARIOS)


def test_a_scenario_is_named_by_its_number_or_its_name():
    assert names(["1"]) == names(["requests"]) == {row.name for row in SCENARIOS[0].rows}


def test_a_row_can_be_named_alone():
    assert names(["requests-32", "download-1"]) == {"requests-32", "download-1"}


def test_a_first_look_leaves_out_what_takes_long_unless_it_is_named():
    assert "idle-10000" in names(["idle"])
    assert "idle-10000" not in names(["idle"], quick=True)
    assert "idle-10000" in names(["idle-10000"], quick=True)


def test_a_word_that_names_nothing_is_told():
    with pytest.raises(ValueError, match="no scenario is called requets"):
        selected(["requests", "requets"])


def test_peers_are_separated_by_commas():
    assert _peers("envoy,nginx") == ["envoy", "nginx"]
    assert _peers("") == []
    with pytest.raises(argparse.ArgumentTypeError, match="no peer is called envoi"):
        _peers("envoi")
