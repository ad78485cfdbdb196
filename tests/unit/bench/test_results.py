import pytest

from bench.results import OURS, REFERENCE, Gaps, Measured, Sample


def measured(ours, reference):
    """Costs per round become samples of one unit a second."""
    samples = {
        OURS: [Sample(1, cost, 1) for cost in ours],
        REFERENCE: [Sample(1, cost, 1) for cost in reference],
    }
    return Measured("work", "request", 1.1, samples)


def test_a_sample_is_cpu_by_units_and_units_by_wall_clock():
    sample = Sample(units=400, cpu_seconds=2, wall_seconds=4)

    assert (sample.cost, sample.rate) == (0.005, 100)


def test_the_ratio_is_the_median_of_the_rounds_ratios():
    """One round on a machine twice as slow changes nothing: both peers were slow in it."""
    row = measured(ours=[3, 6, 3], reference=[2, 4, 3])

    assert row.ratios() == [1.5, 1.5, 1.0]
    assert row.ratio() == 1.5


def test_cost_and_rate_are_medians():
    row = measured(ours=[1, 9, 2], reference=[1, 1, 1])

    assert row.cost(OURS) == 2
    assert row.rate(OURS) == 1


@pytest.mark.parametrize("absent", [OURS, REFERENCE])
def test_without_a_peer_there_is_no_ratio(absent):
    samples = {name: [Sample(1, 1, 1)] for name in (OURS, REFERENCE) if name != absent}

    assert Measured("work", "request", 1.1, samples).ratio() is None


def test_gaps_are_ranked_in_milliseconds():
    gaps = Gaps.of([number / 1e3 for number in range(100, -1, -1)])

    assert (gaps.count, gaps.p50, gaps.p99, gaps.worst) == (101, 50, 99, 100)
