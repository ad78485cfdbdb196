"""Why streams and tunnels end: the codes on the wire, and the one exception for a broken rule."""

from __future__ import annotations

from enum import IntEnum


class ErrorCode(IntEnum):
    """The code in RESET and GOAWAY. Unknown ones are taken for INTERNAL_ERROR."""

    NONE = 0  # nothing is wrong: the tunnel is to be replaced
    PROTOCOL_ERROR = 1  # a rule of the framing was broken; the text names it
    INTERNAL_ERROR = 2
    CANCELLED = 3  # whoever the stream belonged to has left
    UPSTREAM_DOWN = 4  # nobody could be reached for it
    UPSTREAM_LEFT = 5  # whoever it led to has left
    TIMEOUT = 6
    OVERLOAD = 7  # a limit is reached
    UNAUTHORISED = 8  # today's policy does not let this peer in
    DRAINING = 9
    NO_ROUTE = 10
    REFUSED = 11  # it was opened after GOAWAY: nothing of it was looked at


class TunnelError(Exception):
    """The peer broke a rule of the framing; the message says which, for its operator and ours."""

    def __init__(self, rule: str, code: ErrorCode = ErrorCode.PROTOCOL_ERROR) -> None:
        super().__init__(rule)
        self.rule, self.code = rule, code
