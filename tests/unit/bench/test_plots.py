from xml.etree import ElementTree

import pytest

from bench.figures import FRACTIONS, Metric, Sample
from bench.report import pictures
from bench.results import Bar, Measured, Results

plots = pytest.importorskip("bench.plots", reason="matplotlib is not installed")


@pytest.fixture
def results():
    latency = [1e-3 + fraction for fraction in FRACTIONS]
    samples = {
        name: [Sample({Metric.CPU: 2e-5 * round_}, {"latency": latency}) for round_ in (1, 2)]
        for name in ("pqproxy", "envoy", "floor")
    }
    rows = [
        Measured("Requests", "one", "1 client", "request", (Bar(Metric.CPU, 0.75),), samples),
        Measured("Requests", "two", "2 clients", "request", (), samples),
        Measured(
            "Bulk",
            "wire",
            "25 MB",
            "GB",
            (Bar(Metric.WIRE, 0.3, against=None),),
            {"pqproxy": [Sample({Metric.WIRE: 0.2})]},
        ),
    ]
    return Results("command", "2026-01-02", {}, {}, {}, 2, rows)


def test_every_picture_that_the_page_shows_is_drawn(results, tmp_path):
    plots.draw(results, tmp_path)

    names = {"bars", *pictures(results.measured[:2]), *pictures(results.measured[2:])}
    assert {path.stem for path in tmp_path.iterdir()} == names
    for path in tmp_path.iterdir():
        assert ElementTree.parse(path).getroot().tag.endswith("svg")  # noqa: S314 - our own file


def test_a_picture_names_contenders_bars_and_figures(results, tmp_path):
    plots.draw(results, tmp_path)

    needs = (tmp_path / "requests-needs.svg").read_text()
    assert all(word in needs for word in ("pqproxy", "envoy", "floor", "30.0 us", "2 clients"))
    assert "1.00 of envoy" in (tmp_path / "bars.svg").read_text()


def test_the_same_figures_give_the_same_pictures(results, tmp_path):
    """A published picture changes only when a figure did."""
    one, two = tmp_path / "one", tmp_path / "two"
    for directory in (one, two):
        directory.mkdir()
        plots.draw(results, directory)

    for path in one.iterdir():
        assert path.read_text() == (two / path.name).read_text()


def test_only_ratios_are_in_the_picture_of_the_bars(results):
    assert [words for words, _ in plots.ratios(results)] == ["1 client\nCPU/request ≤ 0.75x"]


def test_nothing_measured_is_no_error(tmp_path):
    plots.draw(Results("command", "2026-01-02", {}, {}, {}, 2, []), tmp_path)

    assert (tmp_path / "bars.svg").exists()
