"""Section `peers`: a real handshake with every endpoint of every egress, as it would shake hands.

A server that refuses a client's certificate says so only after the client has finished (RFC 9846
§4.4.2): so each is listened to for a second more, and what it said is told.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from pqproxy.checking.findings import Finding, failure, good, warning
from pqproxy.checking.subject import Subject
from pqproxy.config.groups import CLASSICAL
from pqproxy.config.values import Address, Egress, TunnelMode
from pqproxy.identity.errors import IdentityError, Refused
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import PeerIdentity, Purpose
from pqproxy.identity.profile import narrowed
from pqproxy.identity.trust import Trust
from pqproxy.probing.handshake import (
    LINGER,
    Afterwards,
    Approach,
    Handshake,
    Outcome,
    shake_hands,
)
from pqproxy.probing.wire import Unreachable
from pqproxy.proxy.demands import Demands
from pqproxy.proxy.descriptor import UPSTREAM
from pqproxy.proxy.discovery import Found, judge_completed, judge_failed
from pqproxy.proxy.egress import server_name
from pqproxy.proxy.engine_settings import (
    algorithms,
    alpn,
    credentials,
    egress_alpn,
    groups,
    key_shares,
)
from pqproxy.proxy.peer_alerts import fix_for_alert
from pqproxy.tls import AlertDescription, Failed, Negotiated, Verdict
from pqproxy.tls.alerts import alert_name
from pqproxy.tunnel import TUNNEL_PROTOCOL

_NAME = "peer"
_PATIENCE = 10.0  # seconds, for one endpoint
_SAID = {
    Afterwards.QUIET: "it said nothing against us for a second",
    Afterwards.TICKET: "it gave a ticket",
    Afterwards.DATA: "it sent data",
}
_OUTCOMES = {
    Outcome.NOT_TLS: "what listens there speaks no TLS: check host and port",
    Outcome.CLOSED: "the server, or something in between, drops the connection: its log says more",
    Outcome.SILENT: "the server hangs, or something in between swallows large ClientHellos",
    Outcome.FAILED: "pqproxy probe tells what the server is capable of",
}
_ITS_LOG = "the log of the server says why"


async def check_peers(subject: Subject) -> AsyncIterator[Finding]:
    """Shake hands with all of them at once."""
    asked = [
        _check_peer(subject, egress, address)
        for egress in subject.settings.egress
        for address in egress.connect
    ]
    for finding in await asyncio.gather(*asked):
        yield finding


async def _check_peer(subject: Subject, egress: Egress, address: Address) -> Finding:
    title = f"{egress.name} to {address}"
    trust = subject.trust[egress.trust]
    if isinstance(trust, IdentityError):
        return failure(_NAME, f"{title}: was not tried", "mend its trust first: see certificates")
    try:
        trust = narrowed(trust, egress.profile, egress.authentication)
    except IdentityError as error:
        return failure(_NAME, f"{title}: was not tried: {error}", error.fix)
    judge = _Judge(trust, IdentityPatterns.parse(egress.expect), subject.now)
    try:
        handshake = await _shake_hands(address, _approach(subject, egress, address, judge), egress)
    except Unreachable as error:
        return failure(_NAME, f"{egress.name} to {error}", error.hint)
    if judge.refusal is not None:
        return failure(_NAME, f"{title}: we refuse it: {judge.refusal.detail}", judge.refusal.fix)
    if handshake.negotiated is None or not handshake.served:
        return _unserved(title, egress, handshake)
    return _served(title, egress, handshake, handshake.negotiated, judge.peer)


async def _shake_hands(address: Address, approach: Approach, egress: Egress) -> Handshake:
    """Twice where the server cannot go on with the offer of tunnels. Raises Unreachable."""
    handshake = await shake_hands(address, approach, _PATIENCE)
    if egress.tunnel.mode is TunnelMode.AUTO and _found(handshake) is Found.NEITHER:
        without = replace(approach, alpn_protocols=alpn(egress.alpn))
        handshake = await shake_hands(address, without, _PATIENCE)
    return handshake


def _found(handshake: Handshake) -> Found | None:
    if handshake.negotiated is not None:
        return judge_completed(handshake.negotiated)
    if handshake.alert is None:
        return None
    return judge_failed(Failed(handshake.alert, handshake.reason, by_peer=True))


def _approach(subject: Subject, egress: Egress, address: Address, judge: "_Judge") -> Approach:
    """What the egress itself would offer."""
    offered_groups, offered = groups(egress.groups, egress.policy), algorithms(egress)
    return Approach(
        server_name=server_name(address),
        groups=offered_groups,
        key_shares=key_shares(offered_groups),
        alpn_protocols=egress_alpn(egress),
        cipher_suites=offered.cipher_suites,
        schemes=offered.schemes,
        signature_schemes=offered.signature_schemes,
        chain_signature_schemes=offered.chain_signature_schemes,
        credentials=credentials(subject.usable_identities(egress.identities)),
        judge=judge,
        linger=LINGER,
    )


class _Judge:
    """Judges a server as the egress does, and keeps what it found."""

    def __init__(self, trust: Trust, expect: IdentityPatterns, now: datetime) -> None:
        self._trust, self._expect, self._now = trust, expect, now
        self.peer: PeerIdentity | None = None
        self.refusal: Refused | None = None

    def __call__(self, chain: tuple[bytes, ...]) -> Verdict:
        try:
            self.peer = self._trust.verify(chain, Purpose.SERVER, self._now)
            self._expect.check(self.peer)
        except Refused as refusal:
            self.refusal = refusal
            return Verdict.reject(AlertDescription[refusal.alert.upper()], refusal.detail)
        return Verdict.accept()


def _served(
    title: str,
    egress: Egress,
    handshake: Handshake,
    negotiated: Negotiated,
    peer: PeerIdentity | None,
) -> Finding:
    group = negotiated.group_name
    milliseconds = (handshake.handshake_seconds or 0) * 1000
    message = (
        f"{title}: {peer.name if peer else 'somebody'}, {group},"
        f" {negotiated.peer_signature_name}, {milliseconds:.0f} ms{_tunnels(egress, negotiated)};"
        f" {_SAID.get(handshake.afterwards, 'it serves us')}"
    )
    if egress.tunnel.mode is TunnelMode.REQUIRE and not _is_tunnel(negotiated):
        hint = "put pqproxy before the server, or say tunnel: {mode: auto}"
        return failure(_NAME, f"{message}; tunnel.mode: require wants nothing else", hint)
    if group in CLASSICAL:
        hint = "not post-quantum: put a sidecar before the server, or renew its TLS stack"
        return warning(_NAME, message, hint)
    if egress.alpn and negotiated.alpn_protocol is None:
        return warning(_NAME, f"{message}; it chose none of alpn", "the server may speak another")
    return good(_NAME, message)


def _is_tunnel(negotiated: Negotiated) -> bool:
    return negotiated.alpn_protocol == TUNNEL_PROTOCOL


def _tunnels(egress: Egress, negotiated: Negotiated) -> str:
    if egress.tunnel.mode is TunnelMode.NEVER:
        return ""
    return ", through tunnels" if _is_tunnel(negotiated) else ", without tunnels"


def _unserved(title: str, egress: Egress, handshake: Handshake) -> Finding:
    if handshake.alert is not None:
        when = " after the handshake" if handshake.outcome is Outcome.COMPLETED else ""
        demands = Demands(egress.profile, egress.groups, egress.authentication)
        late = handshake.outcome is Outcome.COMPLETED
        ours = None if late else demands.said(handshake.alert, UPSTREAM)
        hint = ours[1] if ours else fix_for_alert(handshake.alert, UPSTREAM, handshake.negotiated)
        message = f"{title}: it refuses us{when} ({alert_name(handshake.alert)})"
        return failure(_NAME, message, hint)
    if handshake.outcome is Outcome.COMPLETED:
        message = f"{title}: it closed the connection right after the handshake"
        return failure(_NAME, message, f"its upstream may be down: {_ITS_LOG}")
    message = f"{title}: {handshake.reason}"
    return failure(_NAME, message, _OUTCOMES.get(handshake.outcome, _ITS_LOG))
