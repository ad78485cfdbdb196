"""A checker of the part of JSON Schema (2020-12) that our own schema uses; anything else raises."""

import re

_TYPES = {"string": str, "integer": int, "boolean": bool, "array": list, "object": dict}
_NOTES = {"title", "description", "default", "examples", "$defs"}


def problems(value, schema, root=None, path="$"):
    """Every way in which a value is not what the schema says."""
    root = root or schema
    for keyword in schema:
        if keyword not in _NOTES:
            yield from _CHECKS[keyword](value, schema, root, path)


def _ref(value, schema, root, path):
    definition = root["$defs"][schema["$ref"].rpartition("/")[2]]
    yield from problems(value, definition, root, path)


def _any_of(value, schema, root, path):
    if all(any(True for _ in problems(value, one, root, path)) for one in schema["anyOf"]):
        yield f"{path}: {value!r} is none of the alternatives"


def _type(value, schema, root, path):
    if schema["type"] == "null":
        is_one = value is None
    else:
        is_one = isinstance(value, _TYPES[schema["type"]])
        is_one &= not (schema["type"] == "integer" and isinstance(value, bool))
    if not is_one:
        yield f"{path}: {value!r} is no {schema['type']}"


def _enum(value, schema, root, path):
    if value not in schema["enum"]:
        yield f"{path}: {value!r} is none of {schema['enum']}"


def _const(value, schema, root, path):
    if value != schema["const"]:
        yield f"{path}: {value!r} is not {schema['const']!r}"


def _items(value, schema, root, path):
    for index, item in enumerate(value if isinstance(value, list) else ()):
        yield from problems(item, schema["items"], root, f"{path}[{index}]")


def _properties(value, schema, root, path):
    for key, item in value.items() if isinstance(value, dict) else ():
        if key in schema["properties"]:
            yield from problems(item, schema["properties"][key], root, f"{path}.{key}")


def _additional(value, schema, root, path):
    known = schema.get("properties", {})
    for key, item in value.items() if isinstance(value, dict) else ():
        if key in known:
            continue
        if schema["additionalProperties"] is False:
            yield f"{path}: {key} is not known"
        else:
            yield from problems(item, schema["additionalProperties"], root, f"{path}.{key}")


def _required(value, schema, root, path):
    if isinstance(value, dict):
        yield from (f"{path}: no {key}" for key in schema["required"] if key not in value)


def _pattern(value, schema, root, path):
    if isinstance(value, str) and not re.search(schema["pattern"], value):
        yield f"{path}: {value!r} does not match {schema['pattern']}"


def _bound(value, schema, root, path):
    number = isinstance(value, int | float)
    if number and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{path}: {value} is out of bounds"


def _size(value, schema, root, path):
    if isinstance(value, list) and len(value) < schema["minItems"]:
        yield f"{path}: too few"


_CHECKS = {
    "$ref": _ref,
    "anyOf": _any_of,
    "type": _type,
    "enum": _enum,
    "const": _const,
    "items": _items,
    "properties": _properties,
    "additionalProperties": _additional,
    "required": _required,
    "pattern": _pattern,
    "minimum": _bound,
    "maximum": _bound,
    "minItems": _size,
}
