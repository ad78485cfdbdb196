"""What a listener demands beyond the usual, in words for a peer that does not have it.

The usual words of a refusal recommend X25519MLKEM768, which a profile or a list of groups may
exclude.
"""

from dataclasses import dataclass

from pqproxy.config.groups import POST_QUANTUM
from pqproxy.config.problems import listed
from pqproxy.config.values import Profile
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM, Side
from pqproxy.telemetry.reasons import ReasonCode
from pqproxy.tls import AlertDescription

_USUAL = POST_QUANTUM[0]
_NOTHING_IN_COMMON = (AlertDescription.INSUFFICIENT_SECURITY, AlertDescription.HANDSHAKE_FAILURE)
_CNSA2 = "groups: cnsa2 takes SecP384r1MLKEM1024, TLS_AES_256_GCM_SHA384 and ML-DSA-87 only"
_CNSA2_FIXES = {
    CLIENT: f"{_CNSA2}: let the client offer all three (OpenSSL 3.5+), or put an egress with"
    " groups: cnsa2 beside it",
    UPSTREAM: f"{_CNSA2}: let the server speak all three (OpenSSL 3.5+), or put an ingress with"
    " groups: cnsa2 in front of it",
}
_CNSA2_CERTIFICATE_FIX = (
    "groups: cnsa2 takes ML-DSA-87 certificates only: give the client one (pqproxy certs init"
    " --algorithm mldsa87, then certs issue --algorithm mldsa87)"
)


@dataclass(frozen=True, slots=True)
class Demands:
    """The profile of a listener, and its groups by name; none: those of its policy."""

    profile: Profile = Profile.DEFAULT
    groups: tuple[str, ...] = ()

    def refusal(self, alert: int, side: Side) -> tuple[ReasonCode, str] | None:
        """(reason, fix) where we sent this alert to the peer on `side` for one of our demands."""
        if self.profile is Profile.CNSA2:
            if alert == AlertDescription.CERTIFICATE_REQUIRED:
                return ReasonCode.NO_CLIENT_CERTIFICATE, _CNSA2_CERTIFICATE_FIX
            return (ReasonCode.PROFILE, _CNSA2_FIXES[side]) if alert in _NOTHING_IN_COMMON else None
        unusual = bool(self.groups) and _USUAL not in self.groups
        if unusual and alert == AlertDescription.INSUFFICIENT_SECURITY:
            fix = f"let the peer offer {listed(self.groups)}, or add what it offers to groups"
            return ReasonCode.NO_PQ_GROUP, fix
        return None

    def fix_for_alert(self, alert: int, side: Side) -> str | None:
        """What helps when a server refuses us because of our demands, as far as can be told."""
        if side is UPSTREAM and self.profile is Profile.CNSA2 and alert in _NOTHING_IN_COMMON:
            return _CNSA2_FIXES[side]
        return None
