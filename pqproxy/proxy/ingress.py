"""TLS in, plaintext to the model server.

The life of a connection here: handshake, who the peer is and whether it may come in (both judged
within the handshake, so that the peer gets an alert), only then a dial, then the splice.
"""

import functools
import socket
from collections.abc import Sequence

from pqproxy.config import values
from pqproxy.identity.own import Identity
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import Purpose
from pqproxy.identity.profile import accepted_keys, check_own, narrowed
from pqproxy.identity.trust import Trust
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.engine_settings import algorithms, alpn, credentials, groups
from pqproxy.proxy.peer_judge import PeerJudge
from pqproxy.proxy.resumption import binding_of
from pqproxy.proxy.service import Service, Worker
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tls import (
    ClientAuthentication,
    ServerConfig,
    ServerConnection,
    Tickets,
)


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
        self._forward = settings.forward
        for identity in identities:
            check_own(identity, settings.profile)
        demand = settings.authentication
        believed = None if trust is None else narrowed(trust, settings.profile, demand)
        allow = IdentityPatterns.parse(settings.allow) if settings.allow else None
        keys = accepted_keys(settings.profile, demand)
        self._judge = PeerJudge(Purpose.CLIENT, believed, allow, worker.now, keys)
        offered = algorithms(settings)
        self._config = ServerConfig(
            credentials=credentials(identities),
            provider=worker.provider,
            groups=groups(settings.groups, settings.policy),
            cipher_suites=offered.cipher_suites,
            schemes=offered.schemes,
            signature_schemes=offered.signature_schemes,
            chain_signature_schemes=offered.chain_signature_schemes,
            client_authentication=ClientAuthentication[settings.client_auth.name],
            alpn_protocols=alpn(settings.alpn),
            padding=settings.padding or 0,
            tickets=Tickets(
                worker.ticket_keys,
                binding_of(settings, trust, identities),
                worker.clock,
                self._judge.permits,
            ),
        )

    async def _serve(self, sock: socket.socket, visit: Visit) -> EndReason:
        connection = ServerConnection(self._config, key_log=self._worker.key_log)

        judge = functools.partial(self._judge.judge, visit=visit)
        tls = TlsDuplex(sock, self._worker.engine, CLIENT, connection, judge)
        visit.client = tls
        await self._shake_hands(tls, visit)
        self._stay_for(tls, visit)
        dialled = await self._dial(self._forward, visit)
        self._reached(visit)
        plain = SocketDuplex(dialled, self._worker.engine, UPSTREAM)
        visit.upstream_side = plain
        if tls.wants_small_records:
            plain.read_slot_by_slot()
        return await self._join(tls, plain, visit)
