"""Plain data into the schema's model; pydantic's errors into problems with a place.

Every problem is to be reported at once, also the ones between sections when a section holds
mistakes of its own. So a value found wrong becomes `BROKEN` and the rest is validated again: the
model that comes out can be checked further.
"""

import copy
from collections.abc import Iterator, Sequence
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pqproxy.config.document import Document
from pqproxy.config.problems import BROKEN, Path, Problem, did_you_mean
from pqproxy.config.schema import File
from pqproxy.config.sections import Section
from pqproxy.config.units import shown


def validate(document: Document) -> tuple[File, list[Problem]]:
    """Return the model, with `BROKEN` in it where there are problems, and the problems."""
    try:
        return File.model_validate(document.data), []
    except ValidationError as error:
        details = error.errors(include_url=False)
    pruned = copy.deepcopy(document.data)
    for detail in details:
        pruned = _prune(pruned, detail["loc"], detail["type"])
    return File.model_validate(pruned), list(_problems(details, document))


def section_at(path: Sequence[str | int]) -> type[Section] | None:
    """Return the kind of section that a path leads to, or None where it leads to a value."""
    kind: Any = File
    for part in path:
        if isinstance(kind, type) and issubclass(kind, Section):
            field = kind.model_fields.get(str(part))
            kind = field.annotation if field else None
        elif get_origin(kind) in (list, dict):
            kind = get_args(kind)[-1]
        kind = without_none(kind)
    return kind if isinstance(kind, type) and issubclass(kind, Section) else None


def without_none(kind: Any) -> Any:
    """Return the type that an optional field has when it is set."""
    if get_origin(kind) in (Union, UnionType):
        return next(part for part in get_args(kind) if part is not type(None))
    return kind


def _prune(data: Any, path: Path, kind: str) -> Any:
    """Take the wrong value out: what is unknown goes, anything else becomes `BROKEN`."""
    if not path:
        return BROKEN
    parent = data
    for part in path[:-1]:
        parent = parent[part]
        if parent is BROKEN:
            return data
    if kind == "extra_forbidden":
        del parent[path[-1]]
    else:
        parent[path[-1]] = BROKEN
    return data


def _problems(details: list[ErrorDetails], document: Document) -> Iterator[Problem]:
    misspelt = {
        (*path[:-1], meant)
        for detail in details
        if detail["type"] == "extra_forbidden" and (meant := _meant(path := detail["loc"]))
    }
    for detail in details:
        path = detail["loc"]
        if detail["type"] == "extra_forbidden":
            yield Problem(document.key_position(path), path, _unknown(path))
        elif detail["type"] != "missing":
            yield Problem(document.value_position(path), path, _wrong(detail))
        elif path not in misspelt:  # else one mistake would make two lines
            yield Problem(document.key_position(path[:-1]), path, "is missing")


def _meant(path: Path) -> str:
    """Return the key that a misspelt one stands for, or nothing."""
    section = section_at(path[:-1]) or Section  # only sections have unknown keys
    return did_you_mean(str(path[-1]), section.model_fields).removeprefix(", did you mean ")


def _unknown(path: Path) -> str:
    section = section_at(path[:-1]) or Section
    if feature := section.later.get(str(path[-1])):
        return f"not yet available: {feature}"
    if hint := section.elsewhere.get(str(path[-1])):
        return hint
    return "unknown key" + did_you_mean(str(path[-1]), [*section.model_fields, *section.later])


def _wrong(detail: ErrorDetails) -> str:
    given = shown(detail["input"])
    match detail["type"]:
        case "value_error":
            return str(detail["ctx"]["error"])
        case "model_type" | "dict_type":
            return f"{given} stands where a mapping belongs"
        case "list_type":
            meant = "" if isinstance(detail["input"], dict | None) else f", did you mean [{given}]"
            return f"{given} stands where a list belongs{meant}"
        case "too_short":
            return "is an empty list, at least one entry is needed"
    return detail["msg"]
