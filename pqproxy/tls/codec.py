"""Reading and writing TLS presentation language (RFC 9846 §3).

`Reader` cannot overrun and `finish` refuses what is left over, so a message that parses here has
exactly the shape its type says. Knows nothing of what the values mean.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TypeVar

from pqproxy.tls.alerts import decode_error, illegal_parameter

Element = TypeVar("Element")

# Of a vector whose elements are read one by one. No honest peer comes near, and a hello of
# thousands of shares or names would keep us busy for many milliseconds.
MAX_ELEMENTS = 256


class Reader:
    """A cursor over one value; `name` is what an error calls it.

    Raises:
        FatalAlert: by every method, decode_error where the value is not of its type.
    """

    __slots__ = ("_data", "_position", "name")

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self.name, self._position = data, name, 0

    def take(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        taken = self._data[self._position : self._position + count]
        if len(taken) != count:
            raise decode_error(f"{self.name} is truncated")
        self._position += count
        return taken

    def uint(self, size: int) -> int:
        """Read an unsigned integer of `size` bytes."""
        return int.from_bytes(self.take(size), "big")

    def opaque(self, prefix: int, *, at_least: int = 0) -> bytes:
        """Read a byte vector whose length is itself written in `prefix` bytes."""
        value = self.take(self.uint(prefix))
        if len(value) < at_least:
            raise decode_error(f"{self.name} holds a vector of {len(value)} bytes")
        return value

    def vector(
        self, prefix: int, read: Callable[[Reader], Element], *, at_least: int = 0
    ) -> tuple[Element, ...]:
        """Read a length-prefixed vector of elements, each by `read`, until it is used up."""
        elements = Reader(self.opaque(prefix), self.name)
        found: list[Element] = []
        while not elements.at_end:
            if len(found) == MAX_ELEMENTS:
                raise illegal_parameter(f"{self.name} lists over {MAX_ELEMENTS} elements")
            found.append(read(elements))
        if len(found) < at_least:
            raise decode_error(f"{self.name} holds an empty vector")
        return tuple(found)

    def uint16_vector(self, prefix: int, *, at_least: int = 0) -> tuple[int, ...]:
        """Read a vector of uint16 at once: some clients list tens of thousands."""
        data = self.opaque(prefix, at_least=2 * at_least)
        if len(data) % 2:
            raise decode_error(f"{self.name} holds half an element")
        return struct.unpack(f">{len(data) // 2}H", data)

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self._position == len(self._data)

    def finish(self) -> None:
        """Refuse trailing bytes: a value longer than its type is malformed, not lenient."""
        if not self.at_end:
            raise decode_error(f"{self.name} has trailing bytes")


class Writer:
    """The other way: what is written here is right by construction, so nothing is checked."""

    __slots__ = ("_parts",)

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def uint(self, value: int, size: int) -> Writer:
        """Write an unsigned integer in `size` bytes."""
        self._parts.append(value.to_bytes(size, "big"))
        return self

    def raw(self, value: bytes) -> Writer:
        """Write bytes as they are."""
        self._parts.append(value)
        return self

    def opaque(self, value: bytes, prefix: int) -> Writer:
        """Write a byte vector behind its length in `prefix` bytes."""
        self._parts += (len(value).to_bytes(prefix, "big"), value)
        return self

    def vector_of_uint16(self, values: tuple[int, ...], prefix: int) -> Writer:
        """Write a vector of uint16 behind its length."""
        return self.opaque(struct.pack(f">{len(values)}H", *values), prefix)

    def finish(self) -> bytes:
        """Return everything written."""
        return b"".join(self._parts)
