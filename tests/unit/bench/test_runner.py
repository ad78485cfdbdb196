from bench.figures import Metric, Sample
from bench.gate import LoadFailed
from bench.runner import _Taken
from bench.scenario import Effort, Row, Scenario

NAMES = ("pqproxy", "envoy", "nginx")


class Measure:
    """Counts whom it was asked to measure; one of them fails from its second round on."""

    def __init__(self):
        self.asked = []

    def __call__(self, pair, effort):
        self.asked.append(pair)
        if pair == "envoy" and self.asked.count("envoy") > 1:
            raise LoadFailed("the load hung")
        return Sample({Metric.CPU: 1e-6})


def test_whoever_fails_is_out_and_the_others_go_on():
    """Twenty minutes of measuring are not lost for one that hangs in the last."""
    measure = Measure()
    row = Row("row", "work", "request", measure, contenders=NAMES)
    taken = _Taken(row, list(NAMES))

    taken.take({name: name for name in NAMES}, Effort(), rounds=3)
    measured = taken.measured(Scenario(1, "traffic", "Traffic", (row,)))

    assert {name: len(samples) for name, samples in measured.samples.items()} == {
        "pqproxy": 3,
        "envoy": 1,
        "nginx": 3,
    }
    assert measured.failed == {"envoy": "the load hung"}


def test_every_other_round_is_in_reverse():
    measure = Measure()
    taken = _Taken(Row("row", "work", "request", measure), ["pqproxy", "nginx"])

    taken.take({name: name for name in NAMES}, Effort(), rounds=2)

    assert measure.asked == ["pqproxy", "nginx", "nginx", "pqproxy"]


def test_a_row_that_one_round_says_all_of_has_one():
    measure = Measure()
    taken = _Taken(Row("row", "work", "request", measure, rounds=1), ["nginx"])

    taken.take({"nginx": "nginx"}, Effort(), rounds=5)

    assert measure.asked == ["nginx"]


def test_what_warms_up_is_not_counted_and_a_failure_there_is_told_by_the_first_round():
    measure = Measure()
    measure.asked.append("envoy")  # so that it fails at once
    taken = _Taken(Row("row", "work", "request", measure, contenders=NAMES), list(NAMES))

    taken.warm_up({name: name for name in NAMES})

    assert measure.asked == ["envoy", *NAMES]
    assert not taken.samples
    assert not taken.failed
