"""The closed sets of label values that metrics may carry.

A label value that a peer can choose is a way to fill the memory of whoever scrapes us, so every
value passes `closed`: what is not in its set becomes "other".
"""

from enum import StrEnum

OTHER = "other"
NONE = "none"  # nothing negotiated: the handshake ended before, or nobody signed


class HandshakeResult(StrEnum):
    """How a TLS handshake ended; `pqproxy_policy_decisions_total` says why one was refused."""

    COMPLETED = "completed"
    REFUSED = "refused"  # by us: policy, authentication, or a broken handshake
    PEER_ALERT = "peer_alert"  # by the peer
    PEER_LEFT = "peer_left"
    TIMEOUT = "timeout"


class ConnectResult(StrEnum):
    """How an attempt to reach the upstream ended."""

    CONNECTED = "connected"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    UNRESOLVED = "unresolved"
    HANDSHAKE_FAILED = "handshake_failed"


class Decision(StrEnum):
    """What policy said about a peer."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    WOULD_REFUSE = "would_refuse"


TRANSPORTS = frozenset({"tls", "stream"})
RESUMED = frozenset({"true", "false"})

GROUPS = frozenset(
    {
        "X25519MLKEM768",
        "SecP256r1MLKEM768",
        "SecP384r1MLKEM1024",
        "X25519MLKEM1024",
        "x25519",
        "secp256r1",
        "secp384r1",
    }
)

SIGNATURES = frozenset(
    {
        "rsa_pss_rsae_sha256",
        "rsa_pss_rsae_sha384",
        "ecdsa_secp256r1_sha256",
        "ecdsa_secp384r1_sha384",
        "mldsa44",
        "mldsa65",
        "mldsa87",
        "mldsa65_ecdsa_p256",
        "mldsa87_ecdsa_p384",
        "mldsa65_ed25519",
        "mldsa44_ecdsa_p256",
    }
)


def closed(value: str | None, allowed: frozenset[str]) -> str:
    """`value` when its set has it; "none" for None; "other" for the rest."""
    if value is None or value == NONE:
        return NONE
    return value if value in allowed else OTHER
