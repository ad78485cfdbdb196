"""The schema that editors use, and the examples that point at it."""

import json
from pathlib import Path

import pytest

from pqproxy.config.document import read_document
from reference.schema import schema

DIRECTORY = Path(__file__).parents[3] / "config"
EXAMPLES = sorted(DIRECTORY.glob("*.yaml"))
SCHEMA = json.loads(schema())


@pytest.fixture(scope="module")
def problems():
    """What a validator that is not ours holds against a text."""
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    validator = jsonschema.Draft202012Validator(SCHEMA)
    return lambda text: list(validator.iter_errors(read_document(text, {}).data))


def test_there_are_examples():
    assert len(EXAMPLES) >= 4


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_says_where_its_schema_is(path):
    """The first line: then an editor completes keys and marks mistakes."""
    first = path.read_text().splitlines()[0]

    assert first == "# yaml-language-server: $schema=proxy.schema.json"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_what_the_schema_says(path, problems):
    assert problems(path.read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "{version: 2}",
        "{version: 1, ingres: []}",
        "{version: 1, ingress: [{name: x}]}",
        "{version: 1, log: {format: xml}}",
        "{version: 1, workers: 0}",
        "{version: 1, identities: {a: {certificate: c, key: {path: k}}}}",
    ],
)
def test_a_mistake_is_one_for_the_schema_too(text, problems):
    assert problems(text)
