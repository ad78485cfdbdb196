import json

from pqproxy.checking.findings import Report, Section, failure, good, warning
from pqproxy.checking.rendering import document, text

REPORT = Report(
    "p.yaml",
    (
        Section(
            "host", (good("a", "fine"), warning("b", "so so", "see"), failure("c", "bad", "do"))
        ),
    ),
)


def test_each_line_has_its_mark_and_what_is_not_good_a_hint():
    assert text(REPORT, colour=False) == (
        "host\n  √ fine\n  ‼ so so\n      hint: see\n  × bad\n      hint: do\n\n"  # noqa: RUF001
        "× p.yaml: something does not work"  # noqa: RUF001
    )


def test_an_encoding_without_the_signs_gets_letters():
    """`LANG=C`, and log collectors that take ASCII."""
    shown = text(REPORT, colour=False, encoding="ascii")

    assert shown.isascii()
    assert "  + fine" in shown


def test_names_in_another_script_do_not_break_the_output():
    report = Report("p", (Section("peers", (good("a", "spiffe://корп/x"),)),))

    assert "\\u043a" in text(report, colour=False, encoding="ascii")


def test_colours_come_only_where_they_are_wanted():
    assert "\033" not in text(REPORT, colour=False)
    assert "\033[31m×\033[0m bad" in text(REPORT, colour=True)  # noqa: RUF001


def test_programs_get_names_and_words_that_are_kept():
    assert json.loads(json.dumps(document(REPORT))) == {
        "config": "p.yaml",
        "verdict": "failure",
        "sections": [
            {
                "name": "host",
                "checks": [
                    {"name": "a", "status": "good", "message": "fine", "hint": None},
                    {"name": "b", "status": "warning", "message": "so so", "hint": "see"},
                    {"name": "c", "status": "failure", "message": "bad", "hint": "do"},
                ],
            }
        ],
    }
