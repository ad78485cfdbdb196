"""Results as pictures: the bars, what each contender needs, and how times were distributed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.figures import FRACTIONS, Metric
from bench.report import FORMS, TITLES, demand, distributed, pictures, slug
from bench.results import OURS, Judgement, Measured, Results

# What a row is about: the first of these that it has.
SUBJECTS = (Metric.CPU, Metric.WIRE, Metric.EGRESS_MEMORY, Metric.P99)
COLOURS = {"pqproxy": "#c2185b", "envoy": "#5c6bc0", "nginx": "#2e7d32", "haproxy": "#0288d1"}
OTHER_COLOUR = "#9e9e9e"
WIDTH, LINE = 8.0, 0.28  # inches


def draw(results: Results, directory: Path) -> None:
    """Write an SVG a picture: `bars.svg`, and those whose names `report.pictures` gives."""
    # The same figures give the same file: no date, no random ids.
    with mpl.rc_context({"svg.hashsalt": "bench", "font.size": 9, "svg.fonttype": "none"}):
        _save(_bars(results), directory / "bars.svg")
        for title in dict.fromkeys(row.scenario for row in results.measured):
            rows = [row for row in results.measured if row.scenario == title]
            for name in pictures(rows):
                what = name.removeprefix(f"{slug(title)}-")
                figure = _needs(rows) if what == "needs" else _distributions(rows, what)
                _save(figure, directory / f"{name}.svg")


def subject(row: Measured) -> Metric:
    """The figure that a row is about."""
    return next(
        metric
        for metric in (*SUBJECTS, *Metric)
        if any(row.values(name, metric) for name in row.samples)
    )


def ratios(results: Results) -> Iterator[tuple[str, Judgement]]:
    """The bars that hold one contender to another, with their words."""
    for row in results.measured:
        for bar in row.bars:
            judgement = row.judge(bar)
            if judgement is not None and bar.against is not None and not bar.difference:
                whose = "" if bar.subject == OURS else f"{bar.subject}: "
                yield f"{row.title}\n{whose}{demand(bar, row.unit)}", judgement


def _bars(results: Results) -> Figure:
    found = list(ratios(results))
    figure, (axes,) = _figure([max(2, 2 * len(found))])
    for place, (_, judgement) in enumerate(found):
        colour = "#2e7d32" if judgement.holds else "#c62828"
        axes.plot([judgement.bar.limit] * 2, [place - 0.4, place + 0.4], color="black", lw=1.5)
        axes.plot(judgement.rounds, [place] * len(judgement.rounds), "o", ms=3, color=OTHER_COLOUR)
        axes.plot([judgement.value], [place], "D", ms=6, color=colour)
        axes.annotate(
            f"{judgement.value:.2f} of {judgement.against}",
            (judgement.value, place),
            xytext=(6, 5),
            textcoords="offset points",
            fontsize=8,
        )
    axes.set_yticks(range(len(found)), [words for words, _ in found])
    axes.set_ylim(max(1, len(found)) - 0.5, -0.5)
    axes.set_xlim(left=0)
    axes.axvline(1.0, color=OTHER_COLOUR, lw=0.8, ls=":")
    axes.set_xlabel("ratio: median (diamond), rounds (dots), bar (line)")
    return figure


def _needs(rows: Sequence[Measured]) -> Figure:
    figure, panels = _figure([len(row.samples) for row in rows])
    for axes, row in zip(panels, rows, strict=True):
        metric = subject(row)
        names = [name for name in row.samples if row.values(name, metric)]
        for place, name in enumerate(names):
            values = row.values(name, metric)
            middle = median(values)
            axes.barh(place, middle, color=COLOURS.get(name, OTHER_COLOUR), height=0.7)
            axes.plot([min(values), max(values)], [place, place], color="black", lw=1)
            axes.annotate(
                FORMS[metric](middle),
                (max(values), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=8,
            )
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.margins(x=0.15)
        axes.set_xticks([])
        title = TITLES[metric].format(unit=row.unit)
        axes.set_title(f"{row.title}: {title}", loc="left", fontsize=9)
    return figure


def _distributions(rows: Sequence[Measured], what: str) -> Figure:
    shown = [row for row in rows if what in map(slug, distributed(row))]
    figure, panels = _figure([9] * len(shown))
    for axes, row in zip(panels, shown, strict=True):
        kind = next(kind for kind in distributed(row) if slug(kind) == what)
        for name, samples in row.samples.items():
            curves = [one.distributions[kind] for one in samples if kind in one.distributions]
            if curves:
                middle = [1e3 * median(values) for values in zip(*curves, strict=True)]
                colour = COLOURS.get(name, OTHER_COLOUR)
                style = "-" if name in COLOURS else ("--", ":", "-.")[len(axes.lines) % 3]
                axes.plot(middle, FRACTIONS, color=colour, ls=style, lw=1.5, label=name)
        axes.set_xscale("log")
        axes.set_ylabel("of all")
        axes.set_title(f"{row.title}: {kind}, ms", loc="left", fontsize=9)
        axes.legend(fontsize=7, frameon=False, loc="lower right")
    return figure


def _figure(lines: Sequence[int]) -> tuple[Figure, list[Axes]]:
    """Panels below each other, as tall as what they show."""
    heights = [count * LINE + 0.5 for count in lines]
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.3), layout="constrained")
    panels = figure.subplots(len(lines), 1, squeeze=False, height_ratios=heights)
    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
    return figure, list(panels.flat)


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, format="svg", metadata={"Date": None})
