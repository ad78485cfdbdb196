"""The two ways in which identity says no: to a peer, and to the person who runs pqproxy.

No message holds key material: only names, dates and sizes out of certificates.
"""

from pqproxy.telemetry.reasons import ReasonCode

# Names of TLS alerts (RFC 9846 §6.2). The engine sends them; here they are only words, because
# this layer knows nothing of the wire.
UNKNOWN_CA = "unknown_ca"
BAD_CERTIFICATE = "bad_certificate"
CERTIFICATE_EXPIRED = "certificate_expired"
CERTIFICATE_REVOKED = "certificate_revoked"
UNSUPPORTED_CERTIFICATE = "unsupported_certificate"
CERTIFICATE_REQUIRED = "certificate_required"
ACCESS_DENIED = "access_denied"


class Refused(Exception):
    """A peer is refused. `alert` is for the peer, `detail` and `fix` are for the operator only."""

    def __init__(self, reason: ReasonCode, alert: str, detail: str, fix: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.alert = alert
        self.detail = detail
        self.fix = fix


class IdentityError(Exception):
    """Our own certificates, keys or roots cannot be used; `fix` says what to do about it."""

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(message)
        self.fix = fix


class CannotWrite(IdentityError):
    """A file cannot be written here and now: what was asked for may be right all the same."""
