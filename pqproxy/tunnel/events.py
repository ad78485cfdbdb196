"""What a tunnel says that came."""

from __future__ import annotations

from enum import Enum
from typing import Any

from pqproxy.tunnel.frames import FrameType

# A plain int: comparing enum members costs as much as decrypting a small record.
DATA = int(FrameType.DATA)


class Came(Enum):
    """What an event says, beside DATA."""

    UP = "up"  # the peer's SETTINGS
    OPEN = "open"  # a new stream, with `Open`
    END = "end"  # the peer half-closed a stream
    RESET = "reset"  # with `Reset`
    WRITABLE = "writable"  # a stream's window was used up and is open again
    GOAWAY = "goaway"  # with `GoAway`
    ROUND_TRIP = "round_trip"  # seconds
    BROKEN = "broken"  # a rule, with the `TunnelError` that names it: the tunnel is to end


# (DATA, stream, pieces of records), or (Came, stream or None, what it came with): plain tuples,
# since one is made for each frame of data.
Event = tuple[object, Any, Any]
