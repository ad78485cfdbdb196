import pytest

from bench.report import bytes_, cost, markdown, rate, table, verdict
from bench.results import Measured, Memory, Results, Sample


def results(measured=(), memory=None, versions=("pqproxy", "envoy"), skipped=None):
    return Results(
        command="python -m bench --rounds 2",
        date="2026-01-02",
        machine={"processor": "abacus, 2 cores"},
        versions={name: f"{name} 1.0" for name in versions},
        skipped=skipped or {},
        rounds=2,
        measured=measured,
        memory=memory or {},
    )


def row(**costs):
    samples = {peer: [Sample(1, each, 1) for each in rounds] for peer, rounds in costs.items()}
    return Measured("requests", "request", 1.1, samples)


def test_the_page_names_command_machine_and_versions():
    page = markdown(results())

    assert "    python -m bench --rounds 2\n" in page
    assert "| processor | abacus, 2 cores |" in page
    assert "| measured: envoy | envoy 1.0 |" in page


def test_a_row_has_each_rounds_ratio_and_its_bar():
    page = markdown(results([row(pqproxy=[50e-6, 52e-6], envoy=[50e-6, 50e-6])]))

    assert (
        "| requests | 51.0 us/request, 1.00/s | 50.0 us/request, 1.00/s"
        " | **1.02** (1.00, 1.04) | ≤ 1.1 | holds |"
    ) in page


def test_a_missed_bar_is_said_to_be_missed():
    page = markdown(results([row(pqproxy=[2], envoy=[1])]))

    assert "**2.00** (2.00) | ≤ 1.1 | **missed** |" in page


def test_a_peer_that_was_skipped_is_named_and_no_ratio_is_made_up():
    page = markdown(
        results([row(pqproxy=[1])], versions=["pqproxy"], skipped={"envoy": "not installed: pip …"})
    )

    assert "| skipped: envoy | not installed: pip … |" in page
    assert "| no envoy |  |  |" in page


def test_memory_bars_are_held_against_pqproxy_alone():
    sides = {
        "pqproxy": [Memory("ingress", {"supervisor": 61_000_000, "worker": 30_000_000}, 15e3, 9)],
        "envoy": [Memory("ingress", {"process": 65_000_000}, 23e3, 9)],
    }

    page = markdown(results(memory=sides))

    assert "| pqproxy | ingress | supervisor | 61.0 MB | ≤ 60.0 MB | **missed** |" in page
    assert "| pqproxy | ingress | worker | 30.0 MB | ≤ 45.0 MB | holds |" in page
    assert "one idle connection of 9 | 15.0 KB | ≤ 20.0 KB | holds |" in page
    assert "| envoy | ingress | process | 65.0 MB |  |  |" in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(1.234, "1.23 s"), (0.00123, "1.23 ms"), (0.0000456, "45.6 us")]
)
def test_costs_are_written_in_a_unit_a_person_reads(seconds, text):
    assert cost(seconds) == text


@pytest.mark.parametrize(("value", "text"), [(12345.6, "12,346"), (0.678, "0.68")])
def test_rates_keep_the_digits_that_say_something(value, text):
    assert rate(value) == text


@pytest.mark.parametrize(("count", "text"), [(45_000_000, "45.0 MB"), (19_500, "19.5 KB")])
def test_sizes_are_powers_of_ten(count, text):
    assert bytes_(count) == text


def test_a_bar_is_held_when_it_is_just_reached():
    assert verdict(1.1, 1.1) == "holds"
    assert verdict(1.11, 1.1) == "**missed**"


def test_a_table_has_a_rule_under_its_heads():
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
