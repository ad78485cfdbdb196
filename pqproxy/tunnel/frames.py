"""Frames, the units of a tunnel: how each type lies on the wire, and nothing of what it means.

     0        3    4         8
    | length |type| stream  | payload (length bytes)
       u24     u8    u32        big-endian

The plaintext of a TLS record is a sequence of whole frames: a frame never spans records.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import NamedTuple

from pqproxy.tunnel.errors import ErrorCode, TunnelError

HEADER_LENGTH = 8
MAX_TEXT = 255  # bytes of UTF-8 in RESET and GOAWAY
MAX_NAME = 255  # bytes of the route and of the client's address in OPEN
MAX_WINDOW = 2**31 - 1
EVERY_STREAM = 2**32 - 1  # in the first GOAWAY of two: whatever was opened is served

HEADER = struct.Struct(">II")  # length << 8 | type, stream
_PAIR = struct.Struct(">HI")
_UINT32 = struct.Struct(">I")
_PING_LENGTH = 8


class Role(Enum):
    """Which side of a tunnel: streams are opened by the egress alone."""

    EGRESS = "egress"
    INGRESS = "ingress"


class FrameType(IntEnum):
    """What a frame is."""

    SETTINGS = 0
    OPEN = 1
    DATA = 2
    END = 3
    RESET = 4
    WINDOW = 5
    PING = 6
    PONG = 7
    GOAWAY = 8


class SettingId(IntEnum):
    """What a pair in SETTINGS sets."""

    INSTANCE = 1
    INITIAL_WINDOW = 2
    MAX_STREAMS = 3


@dataclass(frozen=True, slots=True)
class Settings:
    """What a side says of itself in its first frame.

    Attributes:
        instance: of the worker that speaks, so that a peer behind one address can be told from
            another.
        initial_window: bytes that the other side may send on each new stream.
        max_streams: how many streams the other side may have open.
    """

    instance: int = 0
    initial_window: int = 256 * 1024
    max_streams: int = 2**31

    def encode(self) -> bytes:
        """The payload of SETTINGS."""
        pairs = (
            (SettingId.INSTANCE, self.instance),
            (SettingId.INITIAL_WINDOW, self.initial_window),
            (SettingId.MAX_STREAMS, self.max_streams),
        )
        return b"".join(_PAIR.pack(*pair) for pair in pairs)

    @classmethod
    def decode(cls, payload: bytes) -> Settings:
        """Read SETTINGS; what is not known is ignored. Raises TunnelError."""
        if len(payload) % _PAIR.size:
            raise TunnelError(f"SETTINGS of {len(payload)} bytes is not whole pairs")
        said = dict(_PAIR.iter_unpack(payload))
        settings = cls(**{each.name.lower(): said[each] for each in SettingId if each in said})
        if settings.initial_window > MAX_WINDOW:
            raise TunnelError(f"an initial window of {settings.initial_window} bytes")
        return settings


class Open(NamedTuple):
    """What an egress says of a new stream."""

    route: str = ""  # of the ingress, where it has several
    client: str = ""  # the address of who connected to the egress, for the log
    flags: int = 0  # none are known

    def encode(self) -> bytes:
        """The payload of OPEN; names that are too long are cut."""
        route, client = _cut(self.route, MAX_NAME), _cut(self.client, MAX_NAME)
        return b"%c%b%c%b%c" % (len(route), route, len(client), client, self.flags)

    @classmethod
    def decode(cls, payload: bytes) -> Open:
        """Read OPEN. Raises TunnelError."""
        route, rest = _name(payload)
        client, rest = _name(rest)
        if len(rest) != 1:
            raise TunnelError("OPEN is not two names and flags")
        return cls(route, client, rest[0])


@dataclass(frozen=True, slots=True)
class Reset:
    """Why a stream ended in both directions, not cleanly."""

    code: int
    text: str = ""

    def encode(self) -> bytes:
        """The payload of RESET."""
        return self.code.to_bytes(2, "big") + _cut(self.text, MAX_TEXT)

    @classmethod
    def decode(cls, payload: bytes) -> Reset:
        """Read RESET. Raises TunnelError."""
        if not 2 <= len(payload) <= 2 + MAX_TEXT:
            raise TunnelError(f"RESET of {len(payload)} bytes")
        return cls(int.from_bytes(payload[:2], "big"), _text(payload[2:]))


@dataclass(frozen=True, slots=True)
class GoAway:
    """The sender of this wants no streams beyond `last`."""

    last: int
    code: int = ErrorCode.NONE
    text: str = ""

    def encode(self) -> bytes:
        """The payload of GOAWAY."""
        return self.last.to_bytes(4, "big") + Reset(self.code, self.text).encode()

    @classmethod
    def decode(cls, payload: bytes) -> GoAway:
        """Read GOAWAY. Raises TunnelError."""
        if not 6 <= len(payload) <= 6 + MAX_TEXT:
            raise TunnelError(f"GOAWAY of {len(payload)} bytes")
        why = Reset.decode(payload[4:])
        return cls(int.from_bytes(payload[:4], "big"), why.code, why.text)


def frame(kind: FrameType, stream: int, payload: bytes = b"") -> bytes:
    """One whole frame."""
    return HEADER.pack(len(payload) << 8 | kind, stream) + payload


def window(stream: int, grant: int) -> bytes:
    """A WINDOW frame."""
    return frame(FrameType.WINDOW, stream, _UINT32.pack(grant))


def read_window(payload: bytes) -> int:
    """How much WINDOW grants. Raises TunnelError."""
    if len(payload) != _UINT32.size:
        raise TunnelError(f"WINDOW of {len(payload)} bytes")
    (grant,) = _UINT32.unpack(payload)
    if not 0 < grant <= MAX_WINDOW:
        raise TunnelError(f"WINDOW grants {grant} bytes")
    return int(grant)


def read_ping(payload: bytes, name: str) -> bytes:
    """What PING or PONG, its `name`, carries. Raises TunnelError."""
    if len(payload) != _PING_LENGTH:
        raise TunnelError(f"{name} of {len(payload)} bytes")
    return payload


def _name(payload: bytes) -> tuple[str, bytes]:
    """A name behind its length, and what follows it."""
    if not payload or len(payload) <= payload[0]:
        raise TunnelError("OPEN ends within a name")
    end = 1 + payload[0]
    return _text(payload[1:end]), payload[end:]


def _cut(text: str, length: int) -> bytes:
    """UTF-8 of at most `length` bytes, cut between characters."""
    encoded = text.encode("utf-8", "replace")
    if len(encoded) <= length:
        return encoded
    return encoded[:length].decode("utf-8", "ignore").encode()


def _text(data: bytes) -> str:
    """What a peer wrote. Raises TunnelError: it ends in log lines, so it must be text."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise TunnelError("a text is not UTF-8") from None
