"""Key material that is hard to mishandle."""

from __future__ import annotations

import hmac
from typing import Final


class Secret:
    """Key material that cannot be printed by accident or compared in variable time."""

    __slots__ = ("_value",)
    __hash__: Final = None  # type: ignore[assignment]  # a secret is no dictionary key

    def __init__(self, value: bytes) -> None:
        self._value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(self._value, other._value)

    def __repr__(self) -> str:
        return f"Secret({len(self._value)} bytes)"

    def __reduce__(self) -> str:
        raise TypeError("a Secret does not leave its process")

    def expose(self) -> bytes:
        """The bytes themselves. Every call site is worth a reviewer's second look."""
        return self._value
