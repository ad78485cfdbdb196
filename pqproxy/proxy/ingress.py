"""TLS in, plaintext to the model server.

The life of a connection here: handshake, who the peer is and whether it may come in (both judged
within the handshake, so that the peer gets an alert), only then a dial, then the splice.
"""

import socket
from collections.abc import Sequence

from pqproxy.config import values
from pqproxy.identity.errors import Refused
from pqproxy.identity.own import Identity
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import Purpose
from pqproxy.identity.profile import check_own, narrowed
from pqproxy.identity.trust import Trust
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.engine_settings import ALGORITHMS, alpn, credentials, groups
from pqproxy.proxy.resumption import binding_of, remembered_identity
from pqproxy.proxy.service import Service, Worker
from pqproxy.proxy.socket_duplex import SocketDuplex
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.reasons import EndReason
from pqproxy.tls import (
    AlertDescription,
    Authentication,
    ClientAuthentication,
    ServerConfig,
    ServerConnection,
    Tickets,
    Verdict,
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
        self._trust = None if trust is None else narrowed(trust, settings.profile)
        # No list: whoever the trust set vouches for (`client_auth: request`).
        self._allow = IdentityPatterns.parse(settings.allow) if settings.allow else None
        algorithms = ALGORITHMS[settings.profile]
        self._config = ServerConfig(
            credentials=credentials(identities),
            provider=worker.provider,
            groups=groups(settings.groups, settings.policy),
            cipher_suites=algorithms.cipher_suites,
            signature_schemes=algorithms.signature_schemes,
            chain_signature_schemes=algorithms.chain_signature_schemes,
            client_authentication=ClientAuthentication[settings.client_auth.name],
            alpn_protocols=alpn(settings.alpn),
            padding=settings.padding or 0,
            tickets=Tickets(
                worker.ticket_keys, binding_of(settings, trust), worker.clock, self._permits
            ),
        )

    async def _serve(self, sock: socket.socket, visit: Visit) -> EndReason:
        connection = ServerConnection(self._config, key_log=self._worker.key_log)

        def judge(chain: tuple[bytes, ...]) -> Verdict:
            return self._judge(chain, visit)

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

    def _judge(self, chain: tuple[bytes, ...], visit: Visit) -> Verdict:
        """Who the client is, and whether it may come in."""
        if self._trust is None:
            return Verdict.reject(AlertDescription.UNKNOWN_CA, "no trust set to judge it by")
        try:
            visit.identity = self._trust.verify(chain, Purpose.CLIENT, self._worker.now())
            if self._allow is not None:
                self._allow.check(visit.identity)
        except Refused as refusal:
            visit.refusal = refusal
            return Verdict.reject(AlertDescription[refusal.alert.upper()], refusal.detail)
        return Verdict.accept(visit.identity.encode(), visit.identity.not_after)

    def _permits(self, proof: Authentication) -> bool:
        """Whether who comes with a ticket may come in; if not, the full handshake says why."""
        identity = remembered_identity(proof)
        if identity is None or self._allow is None:
            return True
        try:
            self._allow.check(identity)
        except Refused:
            return False
        return True
