"""Alerts, and the one exception that carries one (RFC 9846 §6).

Every check in this package that fails raises `FatalAlert`; `connection.py` holds the only place
that catches it and puts the alert on the wire. So each error is stated once, beside its check:
the description is all that the peer learns, the reason is for our operator.
"""

from enum import IntEnum


class AlertLevel(IntEnum):
    """Carried for the sake of form: in TLS 1.3 the description alone decides (§6)."""

    WARNING = 1
    FATAL = 2


class AlertDescription(IntEnum):
    """Every alert of RFC 9846 §6."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    HANDSHAKE_FAILURE = 40
    BAD_CERTIFICATE = 42
    UNSUPPORTED_CERTIFICATE = 43
    CERTIFICATE_REVOKED = 44
    CERTIFICATE_EXPIRED = 45
    CERTIFICATE_UNKNOWN = 46
    ILLEGAL_PARAMETER = 47
    UNKNOWN_CA = 48
    ACCESS_DENIED = 49
    DECODE_ERROR = 50
    DECRYPT_ERROR = 51
    PROTOCOL_VERSION = 70
    INSUFFICIENT_SECURITY = 71
    INTERNAL_ERROR = 80
    INAPPROPRIATE_FALLBACK = 86
    USER_CANCELED = 90
    MISSING_EXTENSION = 109
    UNSUPPORTED_EXTENSION = 110
    UNRECOGNIZED_NAME = 112
    BAD_CERTIFICATE_STATUS_RESPONSE = 113
    UNKNOWN_PSK_IDENTITY = 115
    CERTIFICATE_REQUIRED = 116
    GENERAL_ERROR = 117
    NO_APPLICATION_PROTOCOL = 120


def alert_name(description: int) -> str:
    """Name an alert in the RFC's lower-case spelling, or by number where we know none."""
    try:
        return AlertDescription(description).name.lower()
    except ValueError:
        return f"alert {description}"


class FatalAlert(Exception):
    """The connection ends here: `description` goes to the peer, `reason` to the operator."""

    def __init__(self, description: AlertDescription, reason: str) -> None:
        super().__init__(f"{alert_name(description)}: {reason}")
        self.description = description
        self.reason = reason


class WeakAuthentication(FatalAlert):
    """The peer has no signature that we accept, or accepts none that we can make."""


def decode_error(reason: str) -> FatalAlert:
    """It does not parse, or something is left over."""
    return FatalAlert(AlertDescription.DECODE_ERROR, reason)


def illegal_parameter(reason: str) -> FatalAlert:
    """It parses, and is wrong."""
    return FatalAlert(AlertDescription.ILLEGAL_PARAMETER, reason)


def unexpected_message(reason: str) -> FatalAlert:
    """It is right, at the wrong moment."""
    return FatalAlert(AlertDescription.UNEXPECTED_MESSAGE, reason)
