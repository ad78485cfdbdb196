import dataclasses

import pytest

from bench.figures import Metric, Sample
from bench.report import (
    FORMS,
    TITLES,
    bytes_,
    cost,
    demand,
    markdown,
    pictures,
    progress,
    rate,
    table,
)
from bench.results import Bar, Measured, Results
from bench.scenarios import SCENARIOS


def results(measured=(), versions=("pqproxy", "envoy"), skipped=None):
    return Results(
        command="python -m bench --rounds 2",
        date="2026-01-02",
        machine={"processor": "abacus, 2 cores"},
        versions={name: f"{name} 1.0" for name in versions},
        skipped=skipped or {},
        rounds=2,
        measured=measured,
    )


def row(bar=1.1, **costs):
    samples = {
        name: [Sample({Metric.CPU: each, Metric.RATE: 1000}) for each in rounds]
        for name, rounds in costs.items()
    }
    return Measured("Requests", "row", "1 client", "request", (Bar(Metric.CPU, bar),), samples)


def test_the_page_names_command_machine_and_versions():
    page = markdown(results())

    assert "    python -m bench --rounds 2\n" in page
    assert "| processor | abacus, 2 cores |" in page
    assert "| measured: envoy | envoy 1.0 |" in page


def test_a_bar_is_shown_with_each_round_and_whom_it_is_held_against():
    page = markdown(results([row(pqproxy=[50e-6, 52e-6], envoy=[50e-6, 50e-6])]))

    assert (
        "| Requests | 1 client | CPU/request ≤ 1.10x | **1.02** of envoy | 1.00, 1.04 | holds |"
    ) in page


def test_a_missed_bar_is_said_to_be_missed():
    page = markdown(results([row(pqproxy=[2], envoy=[1])]))

    assert "**2.00** of envoy | 2.00 | **missed** |" in page


def test_figures_are_medians_for_each_contender():
    page = markdown(results([row(pqproxy=[1e-6, 9e-6, 2e-6], envoy=[3e-6])]))

    assert "| pqproxy | 2.0 us | 1,000 |" in page
    assert "| envoy | 3.0 us | 1,000 |" in page


def test_a_peer_that_was_skipped_is_named_and_no_ratio_is_made_up():
    page = markdown(
        results([row(pqproxy=[1])], versions=["pqproxy"], skipped={"envoy": "not installed: pip …"})
    )

    assert "| skipped: envoy | not installed: pip … |" in page
    assert "| not measured |  |  |" in page


@pytest.mark.parametrize(
    ("bar", "words"),
    [
        (Bar(Metric.CPU, 0.75), "CPU/request ≤ 0.75x"),
        (Bar(Metric.WIRE, 0.3, against=None), "wire overhead ≤ 0.30 %"),
        (
            Bar(Metric.GAP_P99, 1e-3, against="direct", difference=True),
            "gap p99 ≤ 1.00 ms over direct",
        ),
        (Bar(Metric.RATE, 1.7, against="one", at_least=True), "request/s ≥ 1.70x one"),
    ],
)
def test_a_bar_is_said_in_words(bar, words):
    assert demand(bar, "request") == words


def test_pictures_are_shown_where_there_are_any():
    page = markdown(results([row(pqproxy=[1], envoy=[1])]), "benchmarks")

    assert "![ratios](benchmarks/bars.svg)" in page
    assert "![requests-needs](benchmarks/requests-needs.svg)" in page
    assert "![" not in markdown(results([row(pqproxy=[1], envoy=[1])]))


def test_who_failed_is_named_with_the_reason():
    failed = dataclasses.replace(row(pqproxy=[1]), failed={"envoy": "the load hung"})

    assert "envoy failed: the load hung" in markdown(results([failed]))


def test_pictures_are_named_by_what_is_in_them():
    streams = dataclasses.replace(
        row(), scenario="Token streams", samples={"pqproxy": [Sample({}, {"first token": [1]})]}
    )

    assert pictures([streams]) == ["token-streams-needs", "token-streams-first-token"]


def test_every_metric_has_a_title_and_a_form():
    assert set(TITLES) == set(FORMS) == set(Metric)


def test_progress_shows_what_a_sample_has():
    sample = Sample({Metric.CPU: 5e-5, Metric.RATE: 1234, Metric.EGRESS_CPU: 1, Metric.P50: 1})

    assert progress(sample, "request") == "CPU/request 50.0 us, request/s 1,234, p50 1.00 s"
    assert progress(Sample({Metric.WIRE: 0.2}), "GB") == "wire overhead 0.20 %"


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


def test_a_table_has_a_rule_under_its_heads():
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"


def test_every_scenario_says_how_to_read_it():
    """Figures without what they are of mislead more than none."""
    assert all(scenario.about for scenario in SCENARIOS)


def test_what_there_is_to_know_stands_before_the_figures():
    measured = row(pqproxy=[1])

    about = {measured.scenario: "Mind the gap.\n"}
    page = markdown(dataclasses.replace(results([measured]), about=about))

    assert page.index("Mind the gap.\n") < page.index(f"### {measured.title}")
