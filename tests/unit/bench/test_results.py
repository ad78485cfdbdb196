import pytest

from bench.figures import Metric, Sample
from bench.results import OURS, Bar, Gaps, Measured


def measured(**costs):
    """Costs per round become samples."""
    samples = {
        name: [Sample({Metric.CPU: cost}) for cost in rounds] for name, rounds in costs.items()
    }
    return Measured("Traffic", "row", "work", "request", (), samples)


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    """One round on a machine twice as slow changes nothing: both were slow in it."""
    row = measured(pqproxy=[3, 6, 3], envoy=[2, 4, 3])

    judgement = row.judge(Bar(Metric.CPU, 1.5))

    assert judgement.rounds == [1.5, 1.5, 1.0]
    assert judgement.value == 1.5
    assert judgement.holds


def test_the_best_peer_is_who_has_the_least_median():
    row = measured(pqproxy=[1], envoy=[9, 3, 3], nginx=[4, 1, 4], floor=[0.1], direct=[0])

    assert row.best(Metric.CPU) == "envoy"
    assert row.judge(Bar(Metric.CPU, 1)).against == "envoy"


@pytest.mark.parametrize("absent", ["pqproxy", "envoy"])
def test_what_was_not_measured_is_not_judged(absent):
    costs = {name: [1] for name in ("pqproxy", "envoy") if name != absent}

    assert measured(**costs).judge(Bar(Metric.CPU, 1, against="envoy")) is None
    assert measured(**costs).judge(Bar(Metric.P99, 1)) is None


def test_a_machine_that_cannot_tell_does_not_judge():
    row = measured(pqproxy=[1], envoy=[1])

    assert row.judge(Bar(Metric.CPU, 1, unfit="needs 3 cores")) is None


def test_a_bar_against_nobody_is_held_to_the_figure_itself():
    judgement = measured(pqproxy=[1, 3, 2]).judge(Bar(Metric.CPU, 2, against=None))

    assert (judgement.value, judgement.against, judgement.holds) == (2, None, True)


def test_a_difference_is_taken_where_a_ratio_says_nothing():
    row = measured(pqproxy=[3, 5], direct=[1, 1])

    judgement = row.judge(Bar(Metric.CPU, 2, against="direct", difference=True))

    assert judgement.rounds == [2, 4]
    assert not judgement.holds


def test_some_bars_are_to_be_exceeded_and_have_another_subject():
    row = measured(two=[34], one=[20])

    judgement = row.judge(Bar(Metric.CPU, 1.7, against="one", subject="two", at_least=True))

    assert judgement.holds
    assert OURS not in row.samples


def test_gaps_are_ranked_in_milliseconds():
    gaps = Gaps.of([number / 1e3 for number in range(100, -1, -1)])

    assert (gaps.count, gaps.p50, gaps.p99, gaps.worst) == (101, 50, 99, 100)
