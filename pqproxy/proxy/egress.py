"""Plaintext in, TLS to the next sidecar or to any TLS 1.3 server.

The client's bytes wait in the kernel until the server has proved who it is. If that fails, the
client is reset at once.
"""

import functools
import ipaddress
from collections.abc import Sequence
from dataclasses import replace

from pqproxy.config import values
from pqproxy.config.values import Address, TcpAddress
from pqproxy.identity.own import Identity
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import Purpose
from pqproxy.identity.profile import accepted_keys, check_own, narrowed
from pqproxy.identity.trust import Trust
from pqproxy.proxy.admission import Place
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.engine_settings import algorithms, alpn, credentials, groups, key_shares
from pqproxy.proxy.peer_judge import PeerJudge
from pqproxy.proxy.resumption import binding_of
from pqproxy.proxy.service import Service, Steps, Worker
from pqproxy.proxy.session_cache import SessionCache, SessionKey
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.socket_options import Socket
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.labels import ConnectResult
from pqproxy.tls import ClientConfig, ClientConnection


class Egress(Service):
    """One egress listener."""

    def __init__(
        self,
        settings: values.Egress,
        worker: Worker,
        counters: ListenerCounters,
        identities: Sequence[Identity],
        trust: Trust,
    ) -> None:
        super().__init__(settings, worker, counters)
        for identity in identities:
            check_own(identity, settings.profile)
        demand = settings.authentication
        believed = narrowed(trust, settings.profile, demand)
        expect = IdentityPatterns.parse(settings.expect)
        keys = accepted_keys(settings.profile, demand)
        self._judge = PeerJudge(Purpose.SERVER, believed, expect, worker.now, keys)
        own, offered = credentials(identities), algorithms(settings)
        offered_groups = groups(settings.groups, settings.policy)
        config = ClientConfig(
            provider=worker.provider,
            groups=offered_groups,
            key_shares=key_shares(offered_groups),
            cipher_suites=offered.cipher_suites,
            credentials=own,
            schemes=offered.schemes,
            signature_schemes=offered.signature_schemes,
            chain_signature_schemes=offered.chain_signature_schemes,
            alpn_protocols=alpn(settings.alpn),
            padding=settings.padding or 0,
            clock=worker.clock,
        )
        # One an address: they differ in the name that is asked for.
        self._configs = {
            address: replace(config, server_name=server_name(address))
            for address in settings.connect
        }
        self._sessions = SessionCache()
        self._binding = binding_of(settings, trust)
        self._turn = 0

    def forget_sessions(self) -> None:
        """Resume nothing that was begun before now."""
        self._sessions.clear()

    def _serve(self, sock: Socket, visit: Visit) -> Steps | None:
        return self._serve_plain(self._attend(sock, visit), visit)

    async def _serve_plain(self, client: SocketDuplex, visit: Visit) -> None:
        self._stay_for(client, visit)
        self._join_tls(client, await self._reach(visit), visit)

    def admit(self, source: str) -> Place | None:
        """A place for a client; its bytes wait, and only our own dial costs a handshake."""
        return self.admission.join(source)

    def _attend(self, sock: Socket, visit: Visit) -> SocketDuplex:
        """The client, whose bytes wait."""
        client = SocketDuplex(sock, self._worker.engine, CLIENT)
        visit.client = client
        return client

    def _join_tls(self, client: SocketDuplex, tls: TlsDuplex, visit: Visit) -> None:
        if tls.wants_small_records:
            client.read_slot_by_slot()
        self._join(client, tls, visit)

    async def _reach(self, visit: Visit) -> TlsDuplex:
        """Connect to one of the addresses, each connection beginning with another. Raises Ended."""
        configs = list(self._configs.items())
        self._turn = (self._turn + 1) % len(configs)
        for attempt in range(len(configs)):
            address, config = configs[(self._turn + attempt) % len(configs)]
            try:
                sock = await self._dial(address, visit)
            except Ended:
                if attempt == len(configs) - 1:
                    raise
                continue
            return await self._secure(sock, address, config, visit)
        raise AssertionError("a listener has at least one endpoint")

    def _session_key(self, address: Address, config: ClientConfig) -> SessionKey:
        leaves = tuple(credential.chain[0] for credential in config.credentials)
        name, protocols = config.server_name, config.alpn_protocols
        return SessionKey(address, name, protocols, leaves, self._binding)

    async def _secure(
        self, sock: Socket, address: Address, config: ClientConfig, visit: Visit
    ) -> TlsDuplex:
        """TLS over a fresh connection. Raises Ended."""
        key = self._session_key(address, config)
        ticket = self._sessions.take(key, self._worker.clock())
        if ticket is not None and not self._judge.permits(ticket.session.authentication):
            ticket = None
        connection = ClientConnection(config, key_log=self._worker.key_log, ticket=ticket)

        judge = functools.partial(self._judge.judge, visit=visit)
        tls = TlsDuplex(sock, self._worker.engine, UPSTREAM, connection, judge)
        tls.on_ticket = functools.partial(self._sessions.keep, key)
        visit.upstream_side = tls
        try:
            await self._shake_hands(tls, visit)
        except Ended:
            if ticket is not None:  # perhaps because of it: the next one does without
                self._sessions.forget(key)
            self._reached(visit, ConnectResult.HANDSHAKE_FAILED)
            raise
        self._reached(visit)
        return tls


def server_name(address: Address) -> str | None:
    """The name to ask for: a host name, never an address (RFC 6066 §3)."""
    if not isinstance(address, TcpAddress):
        return None
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        return address.host
    return None
