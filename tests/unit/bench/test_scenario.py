import pytest

from bench.contenders import CONTENDERS, DIRECT
from bench.figures import FRACTIONS, Metric
from bench.gate import Done
from bench.results import BEST
from bench.scenario import sample
from bench.scenarios import SCENARIOS


def test_cpu_is_of_both_sides_and_everything_is_per_unit():
    done = Done(units=400, seconds=2, cpu_seconds=1, distributions={})

    figures = sample(done, egress_cpu=0.4, ingress_cpu=0.8).figures

    assert figures[Metric.CPU] == pytest.approx(0.003)
    assert figures[Metric.EGRESS_CPU] == 0.001
    assert figures[Metric.CLIENT_CPU] == 0.0025
    assert figures[Metric.RATE] == 200


def test_a_latency_shows_as_p50_and_p99():
    distribution = [fraction * 100 for fraction in FRACTIONS]

    figures = sample(Done(1, 1, 1, {"latency": distribution})).figures

    assert (figures[Metric.P50], figures[Metric.P99]) == (50, 99)


def test_names_of_scenarios_and_rows_are_unique():
    """The command line takes them all in one list."""
    scenarios = {word for each in SCENARIOS for word in (str(each.number), each.name)}
    rows = [row.name for each in SCENARIOS for row in each.rows]

    assert len(scenarios) == 2 * len(SCENARIOS)
    assert len(set(rows)) == len(rows)
    assert not {each.name for each in SCENARIOS if len(each.rows) > 1} & set(rows)


def test_rows_name_contenders_that_exist():
    known = {*CONTENDERS, DIRECT}
    for scenario in SCENARIOS:
        for row in scenario.rows:
            assert set(row.contenders) <= known
            for bar in row.bars:
                assert bar.subject in row.contenders
                assert bar.against in (None, BEST, *row.contenders)
