import copy

from pqproxy.config.problems import (
    BROKEN,
    ConfigError,
    EnvironmentProblem,
    Position,
    Problem,
    did_you_mean,
    listed,
)


def test_a_problem_is_one_line_that_editors_can_jump_to():
    error = ConfigError("p.yaml", [Problem(Position(12, 7), ("ingress", 0, "listen"), "is wrong")])

    assert error.lines() == ["p.yaml:12:7: ingress.0.listen: is wrong"]


def test_a_problem_with_the_whole_file_has_no_path():
    assert str(Problem(Position(1, 1), (), "the file is empty")) == "1:1: the file is empty"


def test_a_problem_with_the_environment_names_no_file():
    error = ConfigError("p.yaml", [EnvironmentProblem(Position(1, 1), ("X",), "is wrong")])

    assert error.lines() == ["environment: X: is wrong"]


def test_problems_come_in_the_order_of_the_file():
    later, earlier = (Problem(Position(line, 1), (), "x") for line in (9, 2))

    assert ConfigError("f", [later, earlier]).problems == (earlier, later)


def test_a_close_word_is_suggested_as_it_is_spelt():
    assert did_you_mean("x25519mlkem768", ["X25519MLKEM768"]) == ", did you mean X25519MLKEM768"


def test_a_word_that_is_like_nothing_gets_no_suggestion():
    assert did_you_mean("banana", ["listen", "forward"]) == ""


def test_alternatives_are_listed_as_in_a_sentence():
    assert listed(["a", "b", "c"]) == "a, b or c"
    assert listed(["a"]) == "a"


def test_broken_survives_a_deep_copy_as_itself():
    assert copy.deepcopy([BROKEN])[0] is BROKEN
