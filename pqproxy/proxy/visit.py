"""What is known about one connection, from accept to its one log line."""

import asyncio
from dataclasses import dataclass

from pqproxy.identity.errors import Refused
from pqproxy.identity.peer import PeerIdentity
from pqproxy.proxy.admission import Place
from pqproxy.proxy.duplex import Abortable
from pqproxy.proxy.peer_alerts import fix_for_alert
from pqproxy.proxy.splice import Splice
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.tunnel_link import TunnelLink
from pqproxy.proxy.tunnel_stream import TunnelStream
from pqproxy.telemetry.log import ConnectionLine, RefusalLine
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from pqproxy.tls import Negotiated, Offer


class Ended(Exception):
    """A connection ends before its two sides are joined."""

    def __init__(
        self, end: EndReason, detail: str, reason: ReasonCode | None = None, fix: str = ""
    ) -> None:
        super().__init__(detail)
        self.end, self.detail, self.reason, self.fix = end, detail, reason, fix


@dataclass(slots=True, eq=False)
class Visit:
    """One connection, from accept to its end. Steps write down here what they learn."""

    listener: str
    peer: str
    place: Place
    started: float  # time.monotonic()
    task: asyncio.Task[None] | None = None  # that takes it through its steps, while they wait
    negotiated: Negotiated | None = None
    own_signature: str | None = None
    peer_signature: str | None = None
    identity: PeerIdentity | None = None
    cleared: int | None = None  # by this edition of the judge, since its handshake
    refusal: Refused | None = None  # why the peer was rejected, at first or since
    would_refuse: ReasonCode | None = None  # why `policy: require` would have ended it
    tls: TlsDuplex | None = None
    upstream: str | None = None
    dialled: float = 0.0  # when the last dial began
    client: Abortable | None = None
    upstream_side: Abortable | None = None
    stream: TunnelStream | None = None  # of a tunnel that carries it, whichever side that is
    through: str | None = None  # of such a stream: its client, as the other sidecar tells it
    link: TunnelLink | None = None  # it is a tunnel itself
    left: EndReason | None = None  # the client went before it was joined
    splice: Splice | None = None
    _departure: asyncio.Future[None] | None = None  # that somebody waits for

    @property
    def transport(self) -> str:
        """As metrics and log call it."""
        return "tls" if self.stream is None else "stream"

    def departure(self, loop: asyncio.AbstractEventLoop) -> asyncio.Future[None]:
        """Done when it has ended."""
        if self._departure is None:
            self._departure = loop.create_future()
        return self._departure

    def depart(self) -> None:
        """It has ended."""
        if self._departure is not None and not self._departure.done():
            self._departure.set_result(None)

    def carried_by(self, tunnel: "Visit", stream: TunnelStream) -> None:
        """It goes through a tunnel: what was proved there holds here."""
        self.stream = stream
        self.proved_by(tunnel)

    def proved_by(self, other: "Visit") -> None:
        """What the handshake of another has proved holds for this one."""
        self.negotiated, self.identity = other.negotiated, other.identity
        self.own_signature, self.peer_signature = other.own_signature, other.peer_signature
        self.would_refuse = other.would_refuse

    def is_plain(self, ended: Ended | None) -> bool:
        """Whether all there is to tell is that it was here, and how it ended."""
        failed = None if self.tls is None else self.tls.failed
        return ended is None and self.refusal is None and failed is None

    def line(self, end: EndReason, ended: Ended | None, now: float) -> ConnectionLine | RefusalLine:
        """The log line of this connection."""
        if ended is not None and end is EndReason.REFUSED and ended.reason is not None:
            return self._refusal(ended, ended.reason)
        negotiated, splice, stream = self.negotiated, self.splice, self.stream
        first = None if splice is None else splice.from_b.first_byte
        detail, fix = self._what_happened(ended)
        return ConnectionLine(
            listener=self.listener,
            peer=self.peer,
            end_reason=end,
            duration=now - self.started,
            received=0 if splice is None else splice.from_a.bytes,
            sent=0 if splice is None else splice.from_b.bytes,
            first_byte=None if first is None else first - self.started,
            transport=self.transport,
            tunnel=None if stream is None else stream.tunnel,
            stream=None if stream is None else stream.id,
            client=self.through,
            identity=None if self.identity is None else self.identity.name,
            server_name=None if negotiated is None else negotiated.server_name,
            group=None if negotiated is None else negotiated.group_name,
            cipher_suite=None if negotiated is None else negotiated.cipher_suite.name,
            signature=self.own_signature,
            peer_signature=self.peer_signature,
            resumed=True if negotiated is not None and negotiated.resumed else None,
            alpn=_text(None if negotiated is None else negotiated.alpn_protocol),
            upstream=self.upstream,
            would_refuse=self.would_refuse,
            reason=self._reason(ended),
            detail=detail,
            fix=fix,
        )

    def _reason(self, ended: Ended | None) -> ReasonCode | None:
        if ended is not None:
            return ended.reason
        return None if self.refusal is None else self.refusal.reason

    def _what_happened(self, ended: Ended | None) -> tuple[str | None, str | None]:
        """(detail, fix)."""
        if ended is not None:
            return ended.detail, ended.fix
        if self.refusal is not None:
            return self.refusal.detail, self.refusal.fix
        if self.stream is not None and self.stream.said is not None:
            return self.stream.said, None
        if self.tls is None or self.tls.failed is None:
            return None, None
        failed = self.tls.failed  # an alert, or nonsense, after the handshake
        if not failed.by_peer:
            return failed.reason, None
        return failed.reason, fix_for_alert(failed.alert, self.tls.side, self.negotiated)

    def _refusal(self, ended: Ended, reason: ReasonCode) -> RefusalLine:
        offer = None if self.tls is None else self.tls.offer
        return RefusalLine(
            listener=self.listener,
            peer=self.peer,
            reason=reason,
            detail=ended.detail,
            fix=ended.fix,
            identity=None if self.identity is None else self.identity.name,
            server_name=None if offer is None else offer.server_name,
            offered=None if offer is None else _offered(offer, reason),
            upstream=self.upstream,
        )


def _offered(offer: Offer, reason: ReasonCode) -> str:
    """Of what the client offered, that which the refusal is about."""
    weak = reason is ReasonCode.WEAK_AUTHENTICATION
    return offer.describe_signatures() if weak else offer.describe_groups()


def _text(protocol: bytes | None) -> str | None:
    return None if protocol is None else protocol.decode("ascii", "backslashreplace")
