"""What a failed handshake is called: reason code, words for the operator, and what would fix it."""

from pqproxy.config.values import ConnectionLimits
from pqproxy.identity.errors import Refused
from pqproxy.proxy.demands import Demands
from pqproxy.proxy.descriptor import UPSTREAM, Side
from pqproxy.proxy.peer_alerts import NO_COMMON_GROUP, fix_for_alert
from pqproxy.proxy.visit import Ended
from pqproxy.telemetry.labels import HandshakeResult
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from pqproxy.tls import AlertDescription, Failed

_REASONS: dict[int, tuple[ReasonCode, str]] = {
    AlertDescription.INSUFFICIENT_SECURITY: (
        ReasonCode.NO_PQ_GROUP,
        "let the peer offer X25519MLKEM768 (OpenSSL 3.5+, Go 1.24+, a current browser, or"
        " `pqproxy connect` beside it), or accept classical peers with policy: prefer",
    ),
    AlertDescription.PROTOCOL_VERSION: (
        ReasonCode.TLS_VERSION,
        "the peer must speak TLS 1.3; put `pqproxy connect` beside it if it cannot",
    ),
    AlertDescription.CERTIFICATE_REQUIRED: (
        ReasonCode.NO_CLIENT_CERTIFICATE,
        "give the client a certificate (`pqproxy certs issue`), or ask for none with"
        " client_auth: none",
    ),
    AlertDescription.DECRYPT_ERROR: (
        ReasonCode.PROTOCOL_ERROR,
        "the peer's private key, or one half of it, is not that of its certificate: issue both"
        " anew; or somebody changes what it sends",
    ),
    AlertDescription.NO_APPLICATION_PROTOCOL: (
        ReasonCode.PROTOCOL_ERROR,
        "let both sides have a protocol in common: compare alpn, and tunnel.mode, as tunnels are"
        " spoken between two pqproxy",
    ),
    # Of the leaf, whose key is looked at before anybody judges the chain.
    AlertDescription.UNSUPPORTED_CERTIFICATE: (
        ReasonCode.WEAK_AUTHENTICATION,
        "use an ECDSA P-256 or P-384, RSA 2048-4096, ML-DSA or composite key, in a certificate that"
        " may sign",
    ),
}
# What a server tells of itself by the alert that it answers our hello with.
_SAID_BY_SERVER: dict[int, ReasonCode] = {
    AlertDescription.PROTOCOL_VERSION: ReasonCode.TLS_VERSION,
    AlertDescription.INSUFFICIENT_SECURITY: ReasonCode.NO_PQ_GROUP,
}
_SERVER_FIXES = {  # where the fix above is for a client
    ReasonCode.TLS_VERSION: "the server must speak TLS 1.3; put `pqproxy serve` in front of it",
    ReasonCode.NO_PQ_GROUP: NO_COMMON_GROUP,
    ReasonCode.PLAINTEXT: (
        "connect to a port that speaks TLS; a plaintext server needs `pqproxy serve` in front of it"
    ),
}
_PLAINTEXT_FIX = "the client must speak TLS to this port: https://, or `pqproxy connect` beside it"
OVERLOAD_FIX = "raise that limit of the listener, if these connections are meant"
_USUAL_DEMANDS = Demands()
_OTHER_FIX = "see what the peer is: it broke TLS, or is not meant for this port"


def why_it_failed(
    failed: Failed | None, refusal: Refused | None, side: Side, demands: Demands = _USUAL_DEMANDS
) -> Ended:
    """Judge a failed handshake with a peer on `side`; `refusal` is why we rejected its chain."""
    if failed is None:
        return _left(side)
    if refusal is not None:
        return Ended(EndReason.REFUSED, refusal.detail, refusal.reason, refusal.fix)
    if failed.cause is not None:
        return Ended(EndReason.INTERNAL_ERROR, failed.reason)
    if failed.by_peer:
        said = _SAID_BY_SERVER.get(failed.alert) if side is UPSTREAM else None
        usual_words = said, fix_for_alert(failed.alert, side)
        why = demands.said(failed.alert, side) or usual_words
        return Ended(side.alert, failed.reason, *why)
    usual = _REASONS.get(failed.alert, (ReasonCode.PROTOCOL_ERROR, _OTHER_FIX))
    demanded = demands.refusal(failed, side)
    reason, fix = demanded or usual
    if failed.plaintext:
        reason, fix = ReasonCode.PLAINTEXT, _PLAINTEXT_FIX
    if side is UPSTREAM and demanded is None:
        fix = _SERVER_FIXES.get(reason, fix)
    return Ended(EndReason.REFUSED, failed.reason, reason, fix)


def too_slow(limits: ConnectionLimits) -> Ended:
    """Its place was given to somebody else."""
    detail = (
        f"limits.handshakes: {limits.handshakes} is reached, and this handshake was the oldest of"
        " those under way"
    )
    return Ended(EndReason.REFUSED, detail, ReasonCode.OVERLOAD, OVERLOAD_FIX)


def handshake_result(failed: Failed | None) -> HandshakeResult:
    """What the metrics call it."""
    if failed is None:
        return HandshakeResult.PEER_LEFT
    return HandshakeResult.PEER_ALERT if failed.by_peer else HandshakeResult.REFUSED


def timeout_fix(side: Side) -> str:
    """What helps against a handshake that never ends."""
    if side is UPSTREAM:
        return "see whether the server speaks TLS at this port; a plaintext one waits in silence"
    return "see what the client is: it is slow or hostile, or waits for a plaintext greeting"


def _left(side: Side) -> Ended:
    detail = "the peer left during the handshake"
    if side is not UPSTREAM:
        return Ended(side.left, detail)
    fix = "see the log of the server: it is overloaded or ending, or speaks no TLS at this port"
    return Ended(side.left, detail, ReasonCode.UPSTREAM_DOWN, fix)
