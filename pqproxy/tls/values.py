"""Values that nobody changes, without the price of being told so at run time.

A frozen dataclass sets each field of a new value through `object.__setattr__`; a handshake makes
some eighty values, and this was a twelfth of what it costs. That nothing is ever assigned is known
before anything runs: type checkers see `dataclasses.dataclass`, and hold it to `frozen=True`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    Decorate = Callable[[type], type]

    def dataclass(*, slots: bool, frozen: bool = False, eq: bool = True) -> Decorate:
        """As `dataclasses.dataclass`: equal and hashed by its fields, if `eq`."""
        return dataclasses.dataclass(slots=slots, eq=eq, unsafe_hash=frozen and eq)
