"""The closed sets of words that log, status, metrics and documents share.

Changing a word here breaks somebody's alert rule: add, do not rename.
"""

from enum import StrEnum


class ReasonCode(StrEnum):
    """Why a peer was refused, or a connection could not be served."""

    NO_PQ_GROUP = "no_pq_group"
    PROFILE = "profile"  # it lacks what the listener's profile (groups: cnsa2) demands
    TLS_VERSION = "tls_version"
    PLAINTEXT = "plaintext"
    NO_CLIENT_CERTIFICATE = "no_client_certificate"
    UNTRUSTED = "untrusted"
    EXPIRED = "expired"
    REVOKED = "revoked"
    WEAK_AUTHENTICATION = "weak_authentication"
    NOT_ALLOWED = "not_allowed"
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    PROTOCOL_ERROR = "protocol_error"
    OVERLOAD = "overload"
    DRAINING = "draining"
    UPSTREAM_DOWN = "upstream_down"


class EndReason(StrEnum):
    """How a connection ended, seen from this sidecar (`end_reason` in log and metrics)."""

    FINISHED = "finished"  # both directions ended cleanly
    CLIENT_LEFT = "client_left"  # RST, HUP, truncation or general_error on the client's side
    UPSTREAM_LEFT = "upstream_left"  # the same on the side of the model server or the next sidecar
    CLIENT_ALERT = "client_alert"  # the client sent another fatal alert
    UPSTREAM_ALERT = "upstream_alert"
    REFUSED = "refused"  # policy, authentication or a broken handshake; a ReasonCode says which
    IDLE_TIMEOUT = "idle_timeout"
    HALF_CLOSE_TIMEOUT = "half_close_timeout"
    HANDSHAKE_TIMEOUT = "handshake_timeout"
    UPSTREAM_DOWN = "upstream_down"  # the upstream could not be reached
    REVOKED = "revoked"  # cut: the peer was revoked or denied since it came
    EXPIRED = "expired"  # cut under `on_expiry: cut`: the peer's certificate ended meanwhile
    DRAINED = "drained"  # cut when the drain timeout ran out
    PROTOCOL_ERROR = "protocol_error"  # the peer broke TLS after the handshake
    INTERNAL_ERROR = "internal_error"


class TunnelEnd(StrEnum):
    """How a tunnel ended that had been up, seen from this sidecar."""

    REPLACED = "replaced"  # we wanted another: max_age, or a certificate that ends soon
    RETIRED = "retired"  # we want none any more: a reload, a drain, an address that is gone
    PEER_RETIRED = "peer_retired"  # the peer said that it goes, for one of these reasons
    PEER_LEFT = "peer_left"  # the connection broke, or ended without a word
    PEER_ALERT = "peer_alert"  # TLS broke, says the peer
    PEER_ERROR = "peer_error"  # we broke a rule, says the peer
    PROTOCOL_ERROR = "protocol_error"  # the peer broke a rule, of tunnels or of TLS
    TIMEOUT = "timeout"  # the peer gave no sign of life
    UNAUTHORISED = "unauthorised"  # the policy of today does not let the peer in
    REVOKED = "revoked"
    EXPIRED = "expired"  # the peer's certificate ended
    DRAINED = "drained"  # cut when the drain timeout ran out
    INTERNAL_ERROR = "internal_error"
