"""Values that nobody changes, without the price of being told so at run time.

A frozen dataclass sets each field of a new value through `object.__setattr__`; a handshake makes
some eighty values, and this was a twelfth of what it costs. That nothing is ever assigned is known
before anything runs: type checkers see `dataclasses.dataclass`, and hold it to `frozen=True`.
`dataclasses.replace` looks at each field by itself, at 200 bytecodes a value: a seventh of a
client's handshake.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import cache
from itertools import repeat
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
    from dataclasses import replace as replace
else:
    Decorate = Callable[[type], type]

    def dataclass(*, slots: bool, frozen: bool = False, eq: bool = True) -> Decorate:
        """As `dataclasses.dataclass`: equal and hashed by its fields, if `eq`."""
        return dataclasses.dataclass(slots=slots, eq=eq, unsafe_hash=frozen and eq)

    def replace(value: object, /, **changes: object) -> object:
        """As `dataclasses.replace`, for fields that are all given at the making."""
        kind = type(value)
        names = _names(kind)
        given = zip(names, map(getattr, repeat(value), names), strict=False)  # one ends the other
        return kind(**{**dict(given), **changes})

    @cache  # as many as there are kinds of values
    def _names(kind: type) -> tuple[str, ...]:
        return tuple(field.name for field in dataclasses.fields(kind))
