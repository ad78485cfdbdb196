from pathlib import Path

import pytest

from pqproxy.config.document import read_document
from pqproxy.config.schema import File
from pqproxy.config.validation import section_at

EXAMPLE = Path(__file__).parents[3] / "config" / "complete.yaml"
COMPLETE = read_document(EXAMPLE.read_text(), {}).data


def sections(node=COMPLETE, path=()):
    """Every section in the example: what stands there, and its kind."""
    if kind := section_at(path):
        yield node, kind
    for key, child in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(child, dict | list):
            yield from sections(child, (*path, key))


def name_of(value):
    return value.__name__ if isinstance(value, type) else ""


@pytest.mark.parametrize(("written", "kind"), list(sections()), ids=name_of)
def test_the_complete_example_holds_every_key(written, kind):
    """People copy from it: what is not there does not exist for them."""
    assert set(written) == set(kind.model_fields)


def test_the_complete_example_has_every_section():
    seen = {kind.__name__ for _, kind in sections()}

    assert seen == {"File", *File.model_json_schema()["$defs"]}


@pytest.mark.parametrize("kind", sorted({kind for _, kind in sections()}, key=name_of), ids=name_of)
def test_keys_for_later_are_not_keys_of_today(kind):
    assert not set(kind.later) & set(kind.model_fields)


def test_the_json_schema_shows_defaults_as_they_are_written():
    schema = File.model_json_schema()["$defs"]["TimeoutsEntry"]["properties"]

    assert schema["connect"]["default"] == "10s"
    assert schema["idle"]["default"] == "never"


def test_the_json_schema_knows_which_keys_are_needed():
    definitions = File.model_json_schema()["$defs"]

    assert set(definitions["IngressEntry"]["required"]) == {
        "name", "listen", "forward", "identities",
    }  # fmt: skip
    assert definitions["IngressEntry"]["additionalProperties"] is False
