"""The keys of a configuration file, read from its JSON Schema."""

import json
from collections.abc import Iterator
from typing import Any

from pqproxy.config.schema import File
from reference.markdown import code, table

_Node = dict[str, Any]


def configuration() -> Iterator[str]:
    """A table for the file and for each section in it, in the order in which they appear."""
    whole = File.model_json_schema()
    definitions = whole["$defs"]
    yield "### The file"
    yield ""
    yield from _table(whole, definitions)
    for path, name in _sections(whole, definitions, ""):
        yield ""
        yield f"### {path}"
        yield ""
        yield definitions[name]["description"]
        yield ""
        yield from _table(definitions[name], definitions)


def _table(section: _Node, definitions: _Node) -> Iterator[str]:
    required = section.get("required", ())
    rows = (
        (
            code(key),
            _type(node),
            "required" if key in required else _default(node),
            _description(node, definitions),
        )
        for key, node in section["properties"].items()
    )
    yield from table(("key", "value", "default", ""), rows)


def _sections(section: _Node, definitions: _Node, path: str) -> Iterator[tuple[str, str]]:
    """(`ingress[].limits`, its definition), each definition where it appears first in a role."""
    for key, node in section["properties"].items():
        name, suffix = _target(node)
        if name:
            here = f"{path}{key}{suffix}"
            yield here, name
            yield from _sections(definitions[name], definitions, f"{here}.")


def _target(node: _Node) -> tuple[str, str]:
    """The definition that a key leads to, and how it is reached."""
    for inner, suffix in (
        (node, ""),
        (node.get("items", {}), "[]"),
        (node.get("additionalProperties", {}), ".NAME"),
        *((alternative, "") for alternative in node.get("anyOf", ())),
    ):
        if isinstance(inner, dict) and "$ref" in inner:
            return inner["$ref"].rpartition("/")[2], suffix
    return "", ""


def _type(node: _Node) -> str:
    name, suffix = _target(node)
    if name:
        kinds = {"": "section", "[]": "list of sections", ".NAME": "sections by name"}
        return kinds[suffix]
    if "anyOf" in node:
        known = [_type(one) for one in node["anyOf"] if one.get("type") != "null"]
        return " or ".join(dict.fromkeys(known))
    if "enum" in node:
        return ", ".join(code(str(word)) for word in node["enum"])
    if "const" in node:
        return code(str(node["const"]))
    if node.get("type") == "array":
        return f"list of {_type(node['items'])}"
    if inner := node.get("additionalProperties"):  # false where the keys are fixed
        return f"{_type(inner)}, by name"
    if node.get("type") == "object":
        return code("{file: …}")
    examples = ", ".join(code(example) for example in node.get("examples", ()))
    kinds = {"string": "text", "integer": "number", "boolean": "`true`, `false`"}
    kind = kinds[node["type"]]
    return f"{kind} such as {examples}" if examples else kind


def _default(node: _Node) -> str:
    if "default" not in node or node["default"] is None:
        return ""
    default = node["default"]
    return code(default if isinstance(default, str) else json.dumps(default))


def _description(node: _Node, definitions: _Node) -> str:
    name, _ = _target(node)
    text = node.get("description", "")
    return str(text or (definitions[name]["description"] if name else ""))
