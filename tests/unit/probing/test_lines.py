from pqproxy.probing.lines import Line, Mark, render

LINES = [
    Line(Mark.GOOD, "", "all is well"),
    Line(Mark.BAD, "name", "text"),
    Line(Mark.NONE, "a longer name", "more"),
]


def test_texts_are_aligned_behind_marks_and_names():
    assert render(LINES, colour=False).splitlines() == [
        "√ all is well",
        "  × name           text",  # noqa: RUF001 - the sign is meant
        "    a longer name  more",
    ]


def test_colour_is_of_the_marks_only():
    painted = render(LINES, colour=True)

    assert "\033[32m√\033[0m all is well" in painted
    assert painted.count("\033") == 4
    assert "\033" not in render(LINES, colour=False)


def test_nothing_is_nothing():
    assert render([], colour=True) == ""


def test_where_the_signs_cannot_be_shown_there_are_letters():
    """A name out of a certificate may be in any script."""
    rows = [Line(mark, "", "é") for mark in Mark]

    assert render(rows, colour=False, encoding="ascii").splitlines() == [
        r"+ \xe9",
        r"! \xe9",
        r"x \xe9",
        r"  \xe9",
    ]
    assert "\033[31mx" in render(rows, colour=True, encoding="ascii")
    assert render(rows, colour=False, encoding="latin-1").startswith("+ é")
