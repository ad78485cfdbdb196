"""An egress whose clients' connections are streams of tunnels, wherever the server speaks them.

Tunnels are dialled before anybody comes. A server that is not one of ours is found out by the same
dial, and gets a TLS connection for each client connection: the first client may have that one.
"""

from __future__ import annotations

import math
import socket
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from pqproxy.config import values
from pqproxy.config.values import ConnectionLimits, TunnelMode
from pqproxy.identity.own import Identity
from pqproxy.identity.trust import Trust
from pqproxy.proxy.admission import Admission, Place
from pqproxy.proxy.dialer import Endpoint
from pqproxy.proxy.discovery import Found, judge_completed, judge_failed
from pqproxy.proxy.egress import Egress
from pqproxy.proxy.engine_settings import egress_alpn
from pqproxy.proxy.listener import Listener
from pqproxy.proxy.service import Steps, Worker
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.socket_options import Socket
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.tunnel_fleet import Dialled, SpeaksNoTunnels, TunnelFleet
from pqproxy.proxy.tunnel_keeper import TunnelKeeper
from pqproxy.proxy.tunnel_link import TunnelLink
from pqproxy.proxy.tunnel_opening import open_tunnel
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tls import Negotiated
from pqproxy.tunnel.fleet import Choice

# Seconds that a connection is kept which turned out to be no tunnel: servers do not wait for ever.
_KEPT_FOR_A_CLIENT = 1.0

_Choice = Choice[Endpoint, TunnelLink]


class TunnelEgress(Egress):
    """One egress listener that has tunnels."""

    def __init__(
        self,
        settings: values.Egress,
        worker: Worker,
        counters: ListenerCounters,
        identities: Sequence[Identity],
        trust: Trust,
    ) -> None:
        super().__init__(settings, worker, counters, identities, trust)
        self._own, self._mode = identities, settings.tunnel.mode
        self._offers = {
            address: replace(
                config,
                alpn_protocols=egress_alpn(settings),
                alpn_required=self._mode is TunnelMode.REQUIRE,
            )
            for address, config in self._configs.items()
        }
        self._fleet = TunnelFleet(settings, self._poller, self._dial_tunnel)
        self._tunnels = TunnelKeeper(self._fleet, counters, self._visits)
        # Tunnels are no connections of clients, and take none of their places.
        self._places = Admission(ConnectionLimits(connections=sys.maxsize))
        # Connections to servers without tunnels, good for a client as they are.
        self._found: dict[Endpoint, Visit] = {}
        # Who goes there without a tunnel.
        self._plainly: dict[Visit, Endpoint] = {}
        self._leaving = False

    # What the worker calls.

    def listen(self, sockets: list[socket.socket]) -> None:
        """Accept from these on."""
        super().listen(sockets)
        self._fleet.start()

    def adopt(self, listeners: list[Listener]) -> None:
        """Go on with what another one listened on."""
        super().adopt(listeners)
        self._fleet.start()

    def release(self, *, for_good: bool) -> list[Listener]:
        """Give up what it listens on. Tunnels go when the last stream has ended."""
        self._leave()
        return super().release(for_good=for_good)

    def stop_listening(self) -> None:
        """Accept who is in the queue already, then no more. Tunnels go with their last stream."""
        super().stop_listening()
        self._leave()

    def cut(self) -> None:
        """Reset every connection: the drain is over."""
        super().cut()
        self._fleet.cut()
        for endpoint in tuple(self._found):
            self._let_go_of_found(endpoint)

    def count_bytes(self) -> None:
        """Bring the counters up to date."""
        super().count_bytes()
        if not self._leaving:  # else its successor tells
            self.counters.endpoints.replace(self._fleet.endpoints())

    def _leave(self) -> None:
        self._leaving = True
        self._ask_for_end()

    def _ask_for_end(self) -> None:
        """Let the fleet go in a later turn: whoever is in the queue comes first."""
        if self._leaving and not self._fleet.over:
            self._loop.call_soon(self._end_if_nobody_waits)

    def _end_if_nobody_waits(self) -> None:
        """Who has a stream keeps its tunnel. Another one is not dialled by yesterday's settings."""
        for visit in self._visits:
            if visit.link is None and visit.upstream_side is None:
                return
        self._fleet.end()

    def _one_less(self, visit: Visit) -> None:
        if self._plainly:
            self._no_more_plainly(visit)
        if self._leaving:
            self._ask_for_end()

    # Clients.

    def _serve(self, sock: Socket, visit: Visit) -> Steps | None:
        """Where a tunnel is up, nearly always, there is nothing to wait for."""
        client, choice = self._attend(sock, visit), self._fleet.choose()
        if choice is None or choice.tunnel is None:
            return self._serve_later(client, choice, visit)
        self._join_stream(client, choice.tunnel, visit)
        return None

    def _join_stream(self, client: SocketDuplex, link: TunnelLink, visit: Visit) -> None:
        stream = self._tunnels.open(link, visit)
        self._ask_for_end()
        client.read_for(stream.room)
        client.expect_input()
        self._join(client, stream, visit)

    async def _serve_later(
        self, client: SocketDuplex, choice: _Choice | None, visit: Visit
    ) -> None:
        self._stay_for(client, visit)
        while True:
            choice = choice or await self._fleet.wait()
            if choice.tunnel is not None:
                self._join_stream(client, choice.tunnel, visit)
                return
            self._plainly[visit] = choice.address
            self._fleet.plain_opened(choice.address)
            tls = await self._reach_plain(choice.address, visit)
            if tls is not None:
                self._ask_for_end()
                self._join_tls(client, tls, visit)
                return
            self._no_more_plainly(visit)
            choice = self._fleet.choose()

    def _no_more_plainly(self, visit: Visit) -> None:
        endpoint = self._plainly.pop(visit, None)
        if endpoint is not None:
            self._fleet.plain_closed(endpoint)

    async def _reach_plain(self, endpoint: Endpoint, visit: Visit) -> TlsDuplex | None:
        """Connect without tunnels; None: nobody is there any more. Raises Ended."""
        tls = self._take_found(endpoint, visit)
        if tls is not None:
            return tls
        try:
            sock = await self._dial(endpoint, visit)
        except Ended as ended:
            self._fleet.plain_failed(endpoint, ended)
            return None
        return await self._secure(sock, endpoint.name, self._configs[endpoint.name], visit)

    def _take_found(self, endpoint: Endpoint, visit: Visit) -> TlsDuplex | None:
        found = self._found.pop(endpoint, None)
        if found is None or found.tls is None or found.tls.closed:
            return None
        visit.proved_by(found)
        visit.upstream, visit.tls = found.upstream, found.tls
        visit.upstream_side = found.tls
        self._stay_in_force(visit)
        return found.tls

    def _let_go_of_found(self, endpoint: Endpoint) -> None:
        found = self._found.pop(endpoint, None)
        if found is not None and found.tls is not None:
            found.tls.dismiss()

    # Tunnels.

    async def _dial_tunnel(self, endpoint: Endpoint) -> Dialled[TunnelLink]:
        visit = Visit(self._name, str(endpoint), self._place(endpoint), time.monotonic())
        try:
            tls = await self._offer_tunnel(endpoint, visit)
            link = await open_tunnel(tls, self._worker.engine, self._timeouts.handshake)
            visit.upstream_side = link
            self._stay_in_force(visit)
        except SpeaksNoTunnels:
            visit.place.leave()
            raise
        except BaseException:
            if visit.upstream_side is not None and not visit.upstream_side.closed:
                visit.upstream_side.abort(EndReason.CLIENT_LEFT)
            visit.place.leave()
            raise
        return self._tunnels.keep(link, endpoint, visit, self._lasts(visit))

    def _place(self, endpoint: Endpoint) -> Place:
        place = self._places.join(str(endpoint))
        assert place is not None  # noqa: S101 - there is no limit
        return place

    async def _offer_tunnel(self, endpoint: Endpoint, visit: Visit) -> TlsDuplex:
        """TLS with a server that speaks tunnels. Raises Ended or SpeaksNoTunnels."""
        sock = await self._dial(endpoint, visit)
        willing = self._mode is TunnelMode.AUTO  # to do without
        try:
            tls = await self._secure(sock, endpoint.name, self._offers[endpoint.name], visit)
        except Ended:
            failed = None if visit.tls is None else visit.tls.failed
            if willing and judge_failed(failed) is Found.NEITHER:
                raise SpeaksNoTunnels from None
            raise
        assert visit.negotiated is not None  # noqa: S101 - the handshake is done
        found = judge_completed(visit.negotiated)
        if not willing or found is Found.TUNNEL:
            return tls
        if found is Found.PLAIN:
            self._let_go_of_found(endpoint)
            self._found[endpoint] = visit
            self._loop.call_later(_KEPT_FOR_A_CLIENT, self._let_go_of_found, endpoint)
        else:
            tls.dismiss()
        raise SpeaksNoTunnels

    def _lasts(self, visit: Visit) -> float:
        """Seconds until the first certificate of either side ends."""
        ends = [self._own_end(visit.negotiated)]
        if visit.identity is not None:
            ends.append(visit.identity.not_after)
        return min(ends) - self._worker.clock()

    def _own_end(self, negotiated: Negotiated | None) -> float:
        """When what we showed ends; the last of all where nobody signed, as in a resumption."""
        scheme = None if negotiated is None else negotiated.signature_scheme
        row = None if negotiated is None or scheme is None else negotiated.schemes.get(scheme)
        for identity in self._own:
            if row is not None and row.key_algorithm == identity.key_algorithm:
                return identity.not_after
        return max((one.not_after for one in self._own), default=math.inf)
