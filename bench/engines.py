"""Handshakes between two engines in this process, and what each side of them costs.

No socket and no event loop: what is counted is the engine, its cryptography and the judgement of
the peer's chain, by the CPU clock of the process, read when a side gets its turn and when it ends.
"""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from time import process_time

from bench.kinds import Kind, Parties
from pqproxy.crypto import Provider
from pqproxy.identity.errors import Refused
from pqproxy.identity.peer import Purpose
from pqproxy.identity.trust import Trust
from pqproxy.tls import (
    AlertDescription,
    ChainReceived,
    ClientAuthentication,
    ClientConfig,
    ClientConnection,
    Failed,
    HandshakeCompleted,
    NamedGroup,
    ServerConfig,
    ServerConnection,
    SessionTicket,
    SignatureRequested,
    TicketKeys,
    TicketReceived,
    Tickets,
    Verdict,
)
from pqproxy.tls.tickets import TICKET_KEY_LENGTH


class HandshakeFailed(Exception):
    """A handshake that is to be measured did not complete."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What tells one measured handshake from another, resumption apart."""

    provider: str  # who computes ML-KEM and ML-DSA
    kind: Kind
    group: NamedGroup
    mutual: bool  # the client shows a certificate too


@dataclass(frozen=True, slots=True)
class Cost:
    """What one handshake cost one side."""

    cpu_seconds: float
    sent: int  # bytes, with everything that records and tickets add

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.cpu_seconds + other.cpu_seconds, self.sent + other.sent)


@dataclass(frozen=True, slots=True)
class Exchange:
    """What one handshake cost both sides."""

    client: Cost
    server: Cost


class Side:
    """One end of one handshake. Its cost runs from the making of its connection on."""

    def __init__(
        self,
        connect: Callable[[], ServerConnection | ClientConnection],
        judge: Callable[[tuple[bytes, ...]], Verdict],
    ) -> None:
        began = process_time()
        self._connection = connect()
        self._cpu_seconds, self._sent = process_time() - began, 0
        self._judge = judge
        self.complete = self.resumed = False
        self.ticket: SessionTicket | None = None

    @property
    def cost(self) -> Cost:
        """Up to here."""
        return Cost(self._cpu_seconds, self._sent)

    def turn(self, data: bytes) -> bytes:
        """Take what the other side sent, and return what this one has to say."""
        lent = bytearray(data)  # as a socket reads into a buffer, in which records are decrypted
        began = process_time()
        self._connection.receive_data(lent)
        while (event := self._connection.next_event()) is not None:
            self._on(event)
        output = self._connection.take_output()
        self._cpu_seconds += process_time() - began
        self._sent += len(output)
        return output

    def _on(self, event: object) -> None:
        match event:
            case SignatureRequested():
                self._connection.provide(event.token, event.sign())
            case ChainReceived():
                self._connection.provide(event.token, self._judge(event.chain))
            case HandshakeCompleted():
                self.complete, self.resumed = True, event.negotiated.resumed
            case TicketReceived():
                self.ticket = event.ticket
            case Failed():
                raise HandshakeFailed(event.reason)


class Engines:
    """Both ends of one setting, configured once and used again and again."""

    def __init__(self, setting: Setting, parties: Parties, provider: Provider) -> None:
        demanded = ClientAuthentication.REQUIRE if setting.mutual else ClientAuthentication.NONE
        keys = TicketKeys((os.urandom(TICKET_KEY_LENGTH),))
        self._server = ServerConfig(
            (parties.server,),
            provider,
            groups=(setting.group,),
            client_authentication=demanded,
            tickets=Tickets(keys, b"bench", time.time, lambda _: True),
        )
        self._client = ClientConfig(
            provider,
            groups=(setting.group,),
            key_shares=(setting.group,),
            credentials=(parties.client,) if setting.mutual else (),
            clock=time.time,
        )
        self._trust = parties.trust
        self._ticket: SessionTicket | None = None

    def full(self) -> Exchange:
        """One handshake in which certificates are shown. Raises HandshakeFailed."""
        return self._exchange(None)

    def resumed(self) -> Exchange:
        """One handshake with the ticket of the one before. Raises HandshakeFailed."""
        if self._ticket is None:
            self.full()
        if self._ticket is None:
            raise HandshakeFailed("the server gives no tickets")
        return self._exchange(self._ticket)

    def _exchange(self, ticket: SessionTicket | None) -> Exchange:
        client = Side(
            lambda: ClientConnection(self._client, ticket=ticket),
            lambda chain: judge(self._trust, chain, Purpose.SERVER),
        )
        server = Side(
            lambda: ServerConnection(self._server),
            lambda chain: judge(self._trust, chain, Purpose.CLIENT),
        )
        said = client.turn(b"")
        while said:
            answer = server.turn(said)
            said = client.turn(answer) if answer else b""
        if not (client.complete and server.complete):
            raise HandshakeFailed("both sides wait")
        if client.resumed != (ticket is not None):
            raise HandshakeFailed("the server did not take its ticket")
        self._ticket = client.ticket
        return Exchange(client.cost, server.cost)


def judge(trust: Trust, chain: tuple[bytes, ...], purpose: Purpose) -> Verdict:
    """What a sidecar does with a peer's chain, but for the patterns that its names must match."""
    try:
        identity = trust.verify(chain, purpose, datetime.now(UTC))
    except Refused as refusal:
        return Verdict.reject(AlertDescription[refusal.alert.upper()], refusal.detail)
    return Verdict.accept(identity.encode(), identity.not_after)
