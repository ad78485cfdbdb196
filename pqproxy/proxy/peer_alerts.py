"""How a handshake fails, and what a peer means by an alert: one word is all TLS lets it say."""

from pqproxy.proxy.descriptor import CLIENT, UPSTREAM, Side
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tls import AlertDescription, Failed, Negotiated

# How our client side says that it goes, for instance because its own client left: RFC 9846 has no
# error alert for that but "none more specific" (§6.2), and a closure alert (§6.1) would call clean
# what is cut off.
GOING = AlertDescription.GENERAL_ERROR

_WITHDRAWN = {
    EndReason.REVOKED: AlertDescription.CERTIFICATE_REVOKED,
    EndReason.EXPIRED: AlertDescription.CERTIFICATE_EXPIRED,
}

NO_COMMON_GROUP = (
    "the server must speak X25519MLKEM768 (OpenSSL 3.5+, Go 1.24+, or `pqproxy serve` in front of"
    " it), or accept classical ones with policy: prefer"
)
_LISTED = 6  # signature schemes in one line
_CERTIFICATE_UNFIT = "the server refuses our certificate; its own log says why"
_UNTRUSTED_BY_CLIENT = "the client does not trust our certificate: give it the root that signed it"

_REVOKED = "our certificate or identity is revoked there: issue a new one, or ask who revoked it"

_SAID_BY_SERVER: dict[int, str] = {
    AlertDescription.ACCESS_DENIED: (
        "the server knows who we are and does not allow it: add our identity to its allow"
    ),
    AlertDescription.CERTIFICATE_REQUIRED: (
        "the server wants a client certificate, of a kind that it accepts: give this listener an"
        " identity that fits (pqproxy certs issue --algorithm)"
    ),
    AlertDescription.UNKNOWN_CA: (
        "the server does not trust who signed our certificate: add our root to its trust, or send"
        " the missing intermediate"
    ),
    AlertDescription.CERTIFICATE_EXPIRED: "our certificate has expired, or a clock is wrong",
    AlertDescription.BAD_CERTIFICATE: _CERTIFICATE_UNFIT,
    AlertDescription.CERTIFICATE_UNKNOWN: _CERTIFICATE_UNFIT,
    AlertDescription.CERTIFICATE_REVOKED: _REVOKED,
    AlertDescription.UNSUPPORTED_CERTIFICATE: _CERTIFICATE_UNFIT,
    AlertDescription.HANDSHAKE_FAILURE: NO_COMMON_GROUP,
    AlertDescription.INSUFFICIENT_SECURITY: NO_COMMON_GROUP,
    AlertDescription.PROTOCOL_VERSION: (
        "the server speaks no TLS 1.3: put `pqproxy serve` in front of it"
    ),
    AlertDescription.UNRECOGNIZED_NAME: (
        "the server has no certificate for the name we asked for: connect to the name it has"
    ),
    AlertDescription.NO_APPLICATION_PROTOCOL: (
        "list in alpn what the server speaks; if it is pqproxy, one side requires tunnels and the"
        " other has none: compare tunnel.mode"
    ),
    AlertDescription.INTERNAL_ERROR: (
        "the other side gave up (its upstream is down, a timeout, a drain); its log says which"
    ),
}
_SAID_BY_CLIENT: dict[int, str] = {
    GOING: "",
    AlertDescription.USER_CANCELED: "",
    AlertDescription.UNKNOWN_CA: _UNTRUSTED_BY_CLIENT,
    AlertDescription.BAD_CERTIFICATE: _UNTRUSTED_BY_CLIENT,
    AlertDescription.CERTIFICATE_UNKNOWN: _UNTRUSTED_BY_CLIENT,
    AlertDescription.CERTIFICATE_EXPIRED: "our certificate has expired, or a clock is wrong",
    AlertDescription.CERTIFICATE_REVOKED: _REVOKED,
    AlertDescription.ACCESS_DENIED: (
        "the client expects another server: compare its expect with the names in our certificate"
    ),
}


class HandshakeFailed(Exception):
    """The handshake came to nothing. `failed` is None when the peer left."""

    def __init__(self, failed: Failed | None) -> None:
        super().__init__("the peer left" if failed is None else failed.reason)
        self.failed = failed


def end_for_alert(alert: int, side: Side) -> EndReason:
    """What an alert of the peer on `side` makes of a connection that was open."""
    return side.left if side is CLIENT and alert == GOING else side.alert


def alert_for_end(reason: EndReason, side: Side) -> AlertDescription:
    """What the peer on `side` is told when its connection is cut."""
    if reason in _WITHDRAWN:
        return _WITHDRAWN[reason]
    if side is UPSTREAM and reason is not EndReason.INTERNAL_ERROR:
        return GOING
    return AlertDescription.INTERNAL_ERROR


def fix_for_alert(alert: int, side: Side, negotiated: Negotiated | None = None) -> str:
    """What helps when the peer on `side` sent this alert; empty where no help is needed.

    A server tells only after the handshake that it misses a certificate; what it asked for is in
    what was `negotiated`.
    """
    unmet = () if negotiated is None else negotiated.unmet_request[:_LISTED]
    if unmet and negotiated is not None and alert == AlertDescription.CERTIFICATE_REQUIRED:
        return (
            f"the server asks for a certificate that signs with {negotiated.schemes.names(unmet)};"
            " give this listener such an identity (pqproxy certs issue --algorithm)"
        )
    if side is CLIENT:
        return _SAID_BY_CLIENT.get(alert, "see the client's own log: our TLS did not suit it")
    return _SAID_BY_SERVER.get(alert, "see the server's own log: our TLS did not suit it")
