"""The base of every section of the file, and of the leaves that sections are made of.

Sections, fields and leaves let `BROKEN` pass, so that a file with mistakes still becomes a model
whose whole parts can be checked further.
"""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PlainValidator,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from pqproxy.config.problems import BROKEN


class Section(BaseModel):
    """A mapping with known keys.

    `later` are the keys of features that are still to come, `elsewhere` those that one would look
    for here and that have their place somewhere else, with the words that say where.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, arbitrary_types_allowed=True
    )

    later: ClassVar[Mapping[str, str]] = {}
    elsewhere: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="wrap")
    @classmethod
    def _let_a_broken_section_pass(
        cls, value: Any, handler: ModelWrapValidatorHandler["Section"]
    ) -> Any:
        return BROKEN if value is BROKEN else handler(value)

    @field_validator("*", mode="wrap")
    @classmethod
    def _let_a_broken_field_pass(cls, value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
        return BROKEN if value is BROKEN else handler(value)


def leaf(parse: Callable[[object], Any]) -> PlainValidator:
    """Make a field's validator of a function that returns the value or raises ValueError."""
    return PlainValidator(lambda value: BROKEN if value is BROKEN else parse(value))
