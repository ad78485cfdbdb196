"""What the end of a stream is called on the wire, and what the other side's word for it means."""

from pqproxy.proxy.descriptor import UPSTREAM, Side
from pqproxy.telemetry.reasons import EndReason, TunnelEnd
from pqproxy.tunnel import ErrorCode, Reset

_CODES = {
    EndReason.CLIENT_LEFT: ErrorCode.CANCELLED,
    EndReason.CLIENT_ALERT: ErrorCode.CANCELLED,
    EndReason.UPSTREAM_LEFT: ErrorCode.UPSTREAM_LEFT,
    EndReason.UPSTREAM_ALERT: ErrorCode.UPSTREAM_LEFT,
    EndReason.UPSTREAM_DOWN: ErrorCode.UPSTREAM_DOWN,
    EndReason.REFUSED: ErrorCode.UNAUTHORISED,
    EndReason.REVOKED: ErrorCode.UNAUTHORISED,
    EndReason.EXPIRED: ErrorCode.UNAUTHORISED,
    EndReason.IDLE_TIMEOUT: ErrorCode.TIMEOUT,
    EndReason.HALF_CLOSE_TIMEOUT: ErrorCode.TIMEOUT,
    EndReason.DRAINED: ErrorCode.DRAINING,
    EndReason.PROTOCOL_ERROR: ErrorCode.PROTOCOL_ERROR,
}
# Of those that an ingress says: the rest is for who reads the log.
_FROM_INGRESS: dict[int, EndReason] = {
    ErrorCode.UPSTREAM_DOWN: EndReason.UPSTREAM_DOWN,
    ErrorCode.UPSTREAM_LEFT: EndReason.UPSTREAM_LEFT,
}

_TUNNEL_CODES = {
    TunnelEnd.PROTOCOL_ERROR: ErrorCode.PROTOCOL_ERROR,
    TunnelEnd.TIMEOUT: ErrorCode.TIMEOUT,
    TunnelEnd.UNAUTHORISED: ErrorCode.UNAUTHORISED,
    TunnelEnd.REVOKED: ErrorCode.UNAUTHORISED,
    TunnelEnd.EXPIRED: ErrorCode.UNAUTHORISED,
    TunnelEnd.DRAINED: ErrorCode.DRAINING,
    TunnelEnd.INTERNAL_ERROR: ErrorCode.INTERNAL_ERROR,
}
_TUNNEL_ENDS = {
    EndReason.REVOKED: TunnelEnd.REVOKED,
    EndReason.EXPIRED: TunnelEnd.EXPIRED,
    EndReason.DRAINED: TunnelEnd.DRAINED,
    EndReason.PROTOCOL_ERROR: TunnelEnd.PROTOCOL_ERROR,
    EndReason.INTERNAL_ERROR: TunnelEnd.INTERNAL_ERROR,
    EndReason.CLIENT_ALERT: TunnelEnd.PEER_ALERT,
    EndReason.UPSTREAM_ALERT: TunnelEnd.PEER_ALERT,
}
# What the code of the peer's GOAWAY makes of the tunnel; any other: it goes by its own will.
PEER_ENDS: dict[int, TunnelEnd] = {
    ErrorCode.PROTOCOL_ERROR: TunnelEnd.PEER_ERROR,
    ErrorCode.INTERNAL_ERROR: TunnelEnd.PEER_LEFT,
    ErrorCode.TIMEOUT: TunnelEnd.PEER_LEFT,
    ErrorCode.UNAUTHORISED: TunnelEnd.UNAUTHORISED,
}
_KNOWN = frozenset(ErrorCode)


def reset_for_end(reason: EndReason) -> Reset:
    """What the other side is told of a stream that ends with `reason` here."""
    return Reset(_CODES.get(reason, ErrorCode.INTERNAL_ERROR), str(reason))


def end_for_reset(why: Reset, side: Side) -> EndReason:
    """What the word of the peer on `side` makes of a stream."""
    if side is UPSTREAM:
        return _FROM_INGRESS.get(why.code, side.alert)
    return side.left if why.code == ErrorCode.CANCELLED else side.alert


def code_for_tunnel_end(end: TunnelEnd) -> ErrorCode:
    """What the peer is told of a tunnel that we end."""
    return _TUNNEL_CODES.get(end, ErrorCode.NONE)


def tunnel_end_for(reason: EndReason) -> TunnelEnd:
    """What becomes of a tunnel whose connection ends with `reason`."""
    return _TUNNEL_ENDS.get(reason, TunnelEnd.PEER_LEFT)


def stream_end_for(end: TunnelEnd, side: Side) -> EndReason:
    """What becomes of the streams of a tunnel that ended under them."""
    for reason, tunnel_end in _TUNNEL_ENDS.items():
        if tunnel_end is end:
            return side.alert if tunnel_end is TunnelEnd.PEER_ALERT else reason
    return side.left


def describe(code: int, text: str) -> str:
    """What a peer said, for the log."""
    if code == ErrorCode.NONE and text:
        return text
    name = ErrorCode(code).name.lower() if code in _KNOWN else f"code {code}"
    return name if text in ("", name) else f"{name}: {text}"
