import io

import pytest

from pqproxy.cli.errors import CommandError, print_error, wants_colour


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def terminal_settings(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def printed(stream, *what):
    print_error(*what, stream=stream)
    return stream.getvalue()


def test_an_error_is_one_line_and_its_hint_another():
    assert (
        printed(io.StringIO(), "it broke", "mend it") == "pqproxy: error: it broke\nhint: mend it\n"
    )


def test_an_error_without_a_hint_is_one_line():
    assert printed(io.StringIO(), "it broke") == "pqproxy: error: it broke\n"


def test_a_terminal_gets_colour():
    assert printed(Terminal(), "it broke") == "pqproxy: \033[1;31merror:\033[0m it broke\n"


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colour_can_be_turned_off(monkeypatch, name, value):
    monkeypatch.setenv(name, value)

    assert not wants_colour(Terminal())


def test_an_empty_no_color_says_nothing(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "")

    assert wants_colour(Terminal())


def test_a_mistake_of_the_user_ends_with_2():
    assert CommandError("x").exit_code == 2
