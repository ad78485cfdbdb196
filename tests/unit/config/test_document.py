import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.config.document import read_document, resolve
from pqproxy.config.problems import BROKEN, Position


def read(text, **environ):
    document = read_document(text, environ)
    assert not document.problems
    return document


def problems(text, **environ):
    return [str(problem) for problem in read_document(text, environ).problems]


def test_keys_and_values_know_where_they_stand():
    document = read("a: 1\nlist:\n  - x: deep\n    y: z\n")

    assert document.value_position(("a",)) == Position(1, 4)
    assert document.key_position(("list",)) == Position(2, 1)
    assert document.value_position(("list", 0)) == Position(3, 5)
    assert document.value_position(("list", 0, "y")) == Position(4, 8)


def test_what_is_not_there_stands_where_its_surroundings_do():
    assert read("a:\n  b: 1").value_position(("a", "missing", 3)) == Position(2, 3)


@pytest.mark.parametrize(
    "word", ["on", "off", "yes", "no", "y", "10:30", "0x1f", "1_000", "2026-11-20"]
)
def test_words_that_meant_something_in_yaml_1_1_are_text(word):
    assert read(f"a: {word}").data == {"a": word}


@pytest.mark.parametrize(
    ("word", "meaning"),
    [("true", True), ("False", False), ("null", None), ("~", None), ("", None), ("-7", -7)],
)
def test_plain_words_of_the_core_schema_are_resolved(word, meaning):
    assert read(f"a: {word}").data == {"a": meaning}


def test_a_number_with_a_point_is_a_float():
    assert resolve("1.5e3") == 1500.0


def test_quoted_words_are_always_text():
    assert read("""a: ["true", '7', "null"]""").data == {"a": ["true", "7", "null"]}


def test_keys_are_always_text():
    assert read("{1: a, true: b}").data == {"1": "a", "true": "b"}


def test_an_alias_repeats_what_it_names():
    assert read("a: &x [1]\nb: *x").data == {"a": [1], "b": [1]}


def test_a_variable_expands_inside_a_word():
    assert read("a: host:${PORT}", PORT="80").data == {"a": "host:80"}


def test_an_expanded_plain_word_has_the_meaning_of_what_it_became():
    assert read("a: ${N}\nb: '${N}'", N="4").data == {"a": 4, "b": "4"}


@pytest.mark.parametrize("environ", [{}, {"PORT": ""}])
def test_a_default_stands_in_for_a_variable_that_is_unset_or_empty(environ):
    assert read("a: ${PORT:-90}", **environ).data == {"a": 90}


def test_a_variable_never_becomes_structure():
    """Expansion comes after parsing: the environment cannot add keys to the file."""
    assert read("a: ${V}", V="x\nb: 1").data == {"a": "x\nb: 1"}


def test_an_unset_variable_is_a_problem_and_its_value_is_broken():
    document = read_document("a: 1\nb: ${NOPE}", {})

    assert document.data["b"] is BROKEN
    assert [str(p) for p in document.problems] == [
        "2:4: b: the environment has no NOPE (${NOPE:-default} gives a default)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: ${x", "write variables as ${NAME} or ${NAME:-default}"),
        ("a: !!int 7", "YAML tags such as"),
        ("a: &x [*x]", "an alias refers to what it stands in"),
        ("? [a]\n: 1", "a key must be a word"),
        ("a: 1\nb: 2\na: 3", "3:1: a: is given twice, first in line 1"),
        ("", "1:1: the file is empty"),
        ("# only a comment", "the file is empty"),
        ("a: [1", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a:\n\t- 1", "spaces, never with tabs"),
        ("a: x\nb: \x07", "2:4: not YAML: holds a control character"),
        ("[" * 3000, "not YAML: nested too deeply"),
    ],
)
def test_what_cannot_be_read_is_a_problem(text, said):
    (problem,) = problems(text)

    assert said in problem


def test_the_first_of_two_equal_keys_counts():
    assert read_document("a: 1\na: 2", {}).data == {"a": 1}


@given(st.text(alphabet=st.sampled_from("ab:-[]{}#&*!|>'\"%@`,? \n\t${}x1\0\x85é"), max_size=60))
def test_any_text_is_read_or_refused(text):
    document = read_document(text, {})

    assert document.problems or document.data is not BROKEN


@pytest.mark.parametrize(
    ("written", "text", "is_one"),
    [
        ("${V}", "1e5", True),
        ('"${V}"', "1e5", True),
        ("${V:-x}", "1e5", False),
        ("${V}${V}", "1e51e5", False),
        ("a ${V}", "a 1e5", False),
    ],
)
def test_what_variables_became_is_known_before_yaml_reads_it(written, text, is_one):
    document = read_document(f"a: {written}", {"V": "1e5"})

    (expansion,) = document.expansions.values()
    assert expansion.text == text
    assert expansion.variable == ("V" if is_one else None)
    assert text not in repr(expansion)
