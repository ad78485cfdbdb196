"""The two roles: where a connection starts (RFC 9846 §A)."""

from __future__ import annotations

import os

from pqproxy.tls.client_hello import ClientContext, ClientOffer
from pqproxy.tls.codepoints import LEGACY_VERSION
from pqproxy.tls.config import ClientConfig, ServerConfig
from pqproxy.tls.connection import Connection, KeyLog
from pqproxy.tls.handshake_client import WaitServerHello
from pqproxy.tls.handshake_server import WaitClientHello
from pqproxy.tls.input import Input
from pqproxy.tls.key_exchange import Entropy, KeyExchanges
from pqproxy.tls.output import Output
from pqproxy.tls.server_authentication import ServerContext
from pqproxy.tls.session import SessionTicket

INITIAL_VERSION = 0x0301  # of a first ClientHello's record: for old middleboxes (§5.1)


class ServerConnection(Connection):
    """A server: it waits for a ClientHello."""

    __slots__ = ()

    def __init__(
        self,
        config: ServerConfig,
        *,
        entropy: Entropy = os.urandom,
        key_log: KeyLog | None = None,
    ) -> None:
        super().__init__(
            config.provider,
            Input(hello_seen=False),
            Output(config.padding, LEGACY_VERSION),
            key_log,
        )
        self._state = WaitClientHello(ServerContext(config, KeyExchanges(config.provider), entropy))


class ClientConnection(Connection):
    """A client: its ClientHello waits in `take_output` from the start.

    It offers to resume the session of `ticket`, if there is one and the config has a clock.
    """

    __slots__ = ()

    def __init__(
        self,
        config: ClientConfig,
        *,
        entropy: Entropy = os.urandom,
        key_log: KeyLog | None = None,
        ticket: SessionTicket | None = None,
    ) -> None:
        super().__init__(
            config.provider,
            Input(hello_seen=True),
            Output(config.padding, INITIAL_VERSION),
            key_log,
        )
        context = ClientContext(config, KeyExchanges(config.provider), entropy, ticket)
        offer = ClientOffer.make(context)
        self._output.send_handshake(offer.message)
        self.client_random = offer.hello.random
        self._state = WaitServerHello(context, offer)
