"""What a listener demands beyond the usual, in words for a peer that does not have it.

The usual words of a refusal recommend X25519MLKEM768, which a profile or a list of groups may
exclude.
"""

from dataclasses import dataclass

from pqproxy.config.groups import POST_QUANTUM
from pqproxy.config.problems import listed
from pqproxy.config.values import PeerAuthentication, Profile
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM, Side
from pqproxy.telemetry.reasons import ReasonCode
from pqproxy.tls import AlertDescription, Failed

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
_TAKES = {
    PeerAuthentication.HYBRID: "authentication: hybrid takes composite certificates only, up to"
    " the root",
    PeerAuthentication.POST_QUANTUM: "authentication: post-quantum takes ML-DSA and composite"
    " certificates only, up to the root",
    PeerAuthentication.ANY: "what we ask for we verify",
}
_ISSUE = {
    PeerAuthentication.HYBRID: "(pqproxy certs issue --algorithm mldsa65-ecdsa-p256)",
    PeerAuthentication.POST_QUANTUM: "(pqproxy certs issue --algorithm mldsa65)",
    PeerAuthentication.ANY: "of such a kind",
}
_TAKES_NONE_OF_OURS = (
    "give this listener one more identity, of a kind that the client verifies (certs issue"
    " --algorithm mldsa65-ecdsa-p256 where a sidecar demands hybrid, ecdsa-p256 for all others), or"
    " put `pqproxy connect` beside it; between sidecars, compare code_points"
)


@dataclass(frozen=True, slots=True)
class Demands:
    """The profile of a listener, its groups by name (none: those of its policy), and what it
    demands of the peer's signatures."""

    profile: Profile = Profile.DEFAULT
    groups: tuple[str, ...] = ()
    authentication: PeerAuthentication = PeerAuthentication.ANY

    def refusal(self, failed: Failed, side: Side) -> tuple[ReasonCode, str] | None:
        """(reason, fix) where we refused the peer on `side` for one of our demands."""
        alert = failed.alert
        if self.profile is Profile.CNSA2:
            if alert == AlertDescription.CERTIFICATE_REQUIRED:
                return ReasonCode.NO_CLIENT_CERTIFICATE, _CNSA2_CERTIFICATE_FIX
            unfit = failed.weak_authentication or alert in _NOTHING_IN_COMMON
            return (ReasonCode.PROFILE, _CNSA2_FIXES[side]) if unfit else None
        if failed.weak_authentication:
            # It verifies nothing of ours, or signed with what it was not asked for.
            helpless = alert == AlertDescription.HANDSHAKE_FAILURE
            fix = _TAKES_NONE_OF_OURS if helpless else self._certificate_fix(side)
            return ReasonCode.WEAK_AUTHENTICATION, fix
        demanding = self.authentication is not PeerAuthentication.ANY
        if demanding and alert == AlertDescription.CERTIFICATE_REQUIRED:
            return ReasonCode.WEAK_AUTHENTICATION, self._certificate_fix(side)
        unusual = bool(self.groups) and _USUAL not in self.groups
        if unusual and alert == AlertDescription.INSUFFICIENT_SECURITY:
            fix = f"let the peer offer {listed(self.groups)}, or add what it offers to groups"
            return ReasonCode.NO_PQ_GROUP, fix
        return None

    def said(self, alert: int, side: Side) -> tuple[ReasonCode, str] | None:
        """(reason, fix) where the peer on `side` refuses us, in the handshake, for our demands.

        As far as can be told: a server that finds nothing in common does not say what it lacks. So
        far it has seen our hello alone; what it says later is about our own certificate.
        """
        if side is not UPSTREAM or alert not in _NOTHING_IN_COMMON:
            return None
        if self.profile is Profile.CNSA2:
            return ReasonCode.PROFILE, _CNSA2_FIXES[side]
        demanding = self.authentication is not PeerAuthentication.ANY
        if demanding and alert == AlertDescription.HANDSHAKE_FAILURE:
            fix = f"{self._certificate_fix(side)}; if it has one, it may lack our groups"
            return ReasonCode.WEAK_AUTHENTICATION, fix
        return None

    def _certificate_fix(self, side: Side) -> str:
        demand = self.authentication
        if side is UPSTREAM:
            means = f"give the server one {_ISSUE[demand]}, with `pqproxy serve` in front of it"
            return f"{_TAKES[demand]}: {means}, or use authentication: any"
        means = f"give the client one {_ISSUE[demand]}"
        return f"{_TAKES[demand]}: {means}, or serve it where authentication: any holds"
