"""TLS in, plaintext to the model server.

The life of a connection here: handshake, who the peer is and whether it may come in (both judged
within the handshake, so that the peer gets an alert), only then a dial, then the splice.
"""

import functools
import time
from collections.abc import Sequence

from pqproxy.config import values
from pqproxy.identity.errors import Refused
from pqproxy.identity.own import Identity
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import Purpose
from pqproxy.identity.profile import accepted_keys, check_own, narrowed
from pqproxy.identity.trust import Trust
from pqproxy.proxy.attendance import check_presence
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.dialer import Attempt, DialFailed, literal
from pqproxy.proxy.engine_settings import algorithms, credentials, groups, ingress_alpn
from pqproxy.proxy.listener import Listener
from pqproxy.proxy.peer_judge import PeerJudge
from pqproxy.proxy.resumption import binding_of
from pqproxy.proxy.service import Service, Steps, Worker
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.socket_options import Socket
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.tunnel_host import TunnelHost
from pqproxy.proxy.tunnel_stream import TunnelStream
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.labels import Decision
from pqproxy.telemetry.reasons import EndReason, TunnelEnd
from pqproxy.tls import (
    ClientAuthentication,
    ServerConfig,
    ServerConnection,
    Tickets,
)
from pqproxy.tunnel import TUNNEL_PROTOCOL, ErrorCode, Open, Reset


class Ingress(Service):
    """One ingress listener."""

    def __init__(
        self,
        settings: values.Ingress,
        worker: Worker,
        counters: ListenerCounters,
        identities: Sequence[Identity],
        trust: Trust | None,
    ) -> None:
        super().__init__(settings, worker, counters)
        self._forward, self._forward_name = settings.forward, str(settings.forward)
        self._endpoint = literal(settings.forward)
        for identity in identities:
            check_own(identity, settings.profile)
        demand = settings.authentication
        believed = None if trust is None else narrowed(trust, settings.profile, demand)
        allow = IdentityPatterns.parse(settings.allow) if settings.allow else None
        keys = accepted_keys(settings.profile, demand)
        self._judge = PeerJudge(Purpose.CLIENT, believed, allow, worker.now, keys)
        offered, offered_protocols = algorithms(settings), ingress_alpn(settings)
        self._config = ServerConfig(
            credentials=credentials(identities),
            provider=worker.provider,
            groups=groups(settings.groups, settings.policy),
            cipher_suites=offered.cipher_suites,
            schemes=offered.schemes,
            signature_schemes=offered.signature_schemes,
            chain_signature_schemes=offered.chain_signature_schemes,
            client_authentication=ClientAuthentication[settings.client_auth.name],
            alpn_protocols=offered_protocols.protocols,
            alpn_demand=offered_protocols.demand,
            certificate_protocols=(TUNNEL_PROTOCOL,),
            padding=settings.padding or 0,
            tickets=Tickets(
                worker.ticket_keys,
                binding_of(settings, trust, identities),
                worker.clock,
                self._judge.permits,
            ),
        )
        self._tunnels = TunnelHost(
            worker.engine, counters, settings.limits.connections, self._welcome_stream
        )

    def succeed(self, before: Service) -> None:
        """Take the place of the service of this name; its tunnels go, some of them at once."""
        super().succeed(before)
        for visit in before.visits:
            if visit.link is not None and not self._would_let_in(visit):
                visit.link.close(TunnelEnd.UNAUTHORISED, "the policy has changed")

    def _would_let_in(self, tunnel: Visit) -> bool:
        """Whether the peer of a tunnel that is open could come in today."""
        negotiated = tunnel.negotiated
        if negotiated is None or negotiated.group not in self._config.groups:
            return False
        if tunnel.identity is None:
            return self._config.client_authentication is not ClientAuthentication.REQUIRE
        try:
            self._judge.recheck(tunnel.identity)
        except Refused:
            return True  # `withdraw` follows, and ends it with all its streams for what it is
        proof = negotiated.authentication
        return proof is None or self._judge.permits(proof)

    def stop_listening(self) -> None:
        """Accept who is in the queue already, then no more; nor streams through tunnels."""
        super().stop_listening()
        self._tunnels.retire(TunnelEnd.RETIRED)

    def release(self, *, for_good: bool) -> list[Listener]:
        """Give up what it listens on; who has a tunnel is told to dial anew."""
        self._tunnels.retire(TunnelEnd.RETIRED)
        return super().release(for_good=for_good)

    def _serve(self, sock: Socket, visit: Visit) -> Steps:
        connection = ServerConnection(self._config, key_log=self._worker.key_log)

        judge = functools.partial(self._judge.judge, visit=visit)
        tls = TlsDuplex(sock, self._worker.engine, CLIENT, connection, judge)
        visit.client = tls
        return self._serve_tls(tls, visit)

    async def _serve_tls(self, tls: TlsDuplex, visit: Visit) -> EndReason | None:
        await self._shake_hands(tls, visit)
        if visit.negotiated is not None and visit.negotiated.alpn_protocol == TUNNEL_PROTOCOL:
            await self._tunnels.carry(tls, visit)
            return EndReason.FINISHED
        self._stay_for(tls, visit)
        plain = self._upstream(await self._dial(self._forward, visit), visit)
        if tls.wants_small_records:
            plain.read_slot_by_slot()
        self._join(tls, plain, visit)
        return None

    def _upstream(self, dialled: Socket, visit: Visit) -> SocketDuplex:
        """The model server."""
        self._reached(visit)
        plain = visit.upstream_side = SocketDuplex(dialled, self._worker.engine, UPSTREAM)
        return plain

    # Streams of tunnels.

    def _welcome_stream(self, stream: TunnelStream, said: Open, tunnel: Visit) -> None:
        """A stream was opened: a connection like any other, but for its handshake."""
        try:
            self._authorise(tunnel)
        except Refused as refusal:
            stream.refuse(Reset(ErrorCode.UNAUTHORISED, "unauthorised"))
            if tunnel.link is not None:  # and so for all that follow
                tunnel.refusal = refusal
                tunnel.link.retire(TunnelEnd.UNAUTHORISED)
            self.counters.decision(Decision.REFUSED, refusal.reason)
            return
        if said.route:  # there is one way to go here, and it has no name
            stream.refuse(Reset(ErrorCode.NO_ROUTE, "no_route"))
            return
        place = self.admission.join(tunnel.place.source)
        if place is None:
            self.turn_away(tunnel.peer, tunnel.place.source)
            stream.refuse(Reset(ErrorCode.OVERLOAD, "overload"))
            return
        visit = Visit(self._name, tunnel.peer, place, time.monotonic(), through=said.client)
        visit.carried_by(tunnel, stream)
        visit.client = stream
        self.counters.opened("stream")
        self._begin(visit, self._serve_stream, stream)

    def _authorise(self, tunnel: Visit) -> None:
        """Judge the peer of a tunnel by what is known today. Raises Refused."""
        judge = self._judge
        if tunnel.identity is not None:
            if tunnel.cleared != judge.edition:
                judge.recheck(tunnel.identity)
                tunnel.cleared = judge.edition
            judge.check_time(tunnel.identity)

    def _serve_stream(self, stream: TunnelStream, visit: Visit) -> Steps | None:
        """Who is on this machine answers at once; a task waits for anybody else."""
        check_presence(stream)
        if self._endpoint is None:
            return self._dial_for_stream(stream, visit)
        visit.upstream, visit.dialled = self._forward_name, time.monotonic()
        try:
            attempt = Attempt(self._endpoint, self._forward_name)
        except DialFailed as failure:
            raise self._unreached(visit, failure) from None
        if attempt.waits:
            return self._wait_for_stream(attempt, stream, visit)
        self._join_stream(stream, attempt.sock, visit)
        return None

    async def _dial_for_stream(self, stream: TunnelStream, visit: Visit) -> None:
        self._stay_for(stream, visit)
        self._join_stream(stream, await self._dial(self._forward, visit), visit)

    async def _wait_for_stream(self, attempt: Attempt, stream: TunnelStream, visit: Visit) -> None:
        try:
            self._stay_for(stream, visit)
            await attempt.finish(self._timeouts.connect, self._poller)
        except DialFailed as failure:
            raise self._unreached(visit, failure) from None
        except Ended:
            attempt.sock.close()
            raise
        self._join_stream(stream, attempt.sock, visit)

    def _join_stream(self, stream: TunnelStream, dialled: Socket, visit: Visit) -> None:
        plain = self._upstream(dialled, visit)
        plain.read_for(stream.room)
        self._join(stream, plain, visit)
