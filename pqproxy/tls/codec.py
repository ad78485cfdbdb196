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

    __slots__ = ("_data", "_end", "_position", "name")

    def __init__(self, data: bytes, name: str) -> None:
        self._data, self.name = data, name
        self._position, self._end = 0, len(data)

    def take(self, count: int) -> bytes:
        """Read exactly `count` bytes."""
        start, end = self._position, self._position + count
        if end > self._end:
            raise decode_error(f"{self.name} is truncated")
        self._position = end
        return self._data[start:end]

    def uint(self, size: int) -> int:
        """Read an unsigned integer of `size` bytes."""
        start, end = self._position, self._position + size
        if end > self._end:
            raise decode_error(f"{self.name} is truncated")
        self._position = end
        return int.from_bytes(self._data[start:end], "big")

    def opaque(self, prefix: int, *, at_least: int = 0) -> bytes:
        """Read a byte vector whose length is itself written in `prefix` bytes."""
        start = self._position + prefix
        length = int.from_bytes(self._data[self._position : start], "big")
        end = start + length
        if end > self._end:  # so it is, too, where the length itself is cut off
            raise decode_error(f"{self.name} is truncated")
        if length < at_least:
            raise decode_error(f"{self.name} holds a vector of {length} bytes")
        self._position = end
        return self._data[start:end]

    def vector(
        self, prefix: int, read: Callable[[Reader], Element], *, at_least: int = 0
    ) -> tuple[Element, ...]:
        """Read a length-prefixed vector of elements, each by `read`, until it is used up."""
        elements = Reader(self.opaque(prefix), self.name)
        found: list[Element] = []
        while elements._position < elements._end:
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
        return self._position == self._end

    def finish(self) -> None:
        """Refuse trailing bytes: a value longer than its type is malformed, not lenient."""
        if self._position != self._end:
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
