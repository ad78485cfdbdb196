"""TLS 1.3 with hybrid key exchange, both roles, sans-IO (RFC 9846, RFC 10024).

    connection = ServerConnection(ServerConfig(credentials=..., provider=load_provider()))
    connection.receive_data(bytes_from_the_peer)
    while (event := connection.next_event()) is not None:
        ...  # SignatureRequested and ChainReceived want an answer: connection.provide(...)
    bytes_for_the_peer = connection.take_output()

Bytes in, events and bytes out: no socket, no event loop, no clock, no log. Whatever a peer sends,
a connection refuses with one alert at worst, reports `Failed`, and is inert from then on.
"""

from pqproxy.tls.alerts import AlertDescription, FatalAlert, alert_name
from pqproxy.tls.codepoints import CipherSuite, NamedGroup, SignatureScheme
from pqproxy.tls.config import (
    CIPHER_SUITES,
    DEFAULT_PADDING,
    AlpnDemand,
    ClientAuthentication,
    ClientConfig,
    Credential,
    ServerConfig,
)
from pqproxy.tls.connection import Connection, KeyLog
from pqproxy.tls.endpoints import ClientConnection, ServerConnection
from pqproxy.tls.events import (
    ApplicationData,
    ChainReceived,
    Event,
    Failed,
    HandshakeCompleted,
    Negotiated,
    Offer,
    PeerClosed,
    SignatureRequested,
    TicketReceived,
    Truncated,
    Verdict,
)
from pqproxy.tls.key_exchange import (
    CLASSICAL_GROUPS,
    HYBRID_GROUPS,
    PRIVATE_GROUPS,
    Entropy,
    is_post_quantum,
)
from pqproxy.tls.padding import PADDED_BELOW
from pqproxy.tls.record import HEADROOM, MAX_FRAGMENT, MAX_RECORD, TAILROOM
from pqproxy.tls.runs import Landing, Run
from pqproxy.tls.schemes import CHAIN_SCHEMES, HANDSHAKE_SCHEMES, SCHEMES, SchemeTable
from pqproxy.tls.secrets import Secret
from pqproxy.tls.session import Authentication, Clock, Session, SessionTicket
from pqproxy.tls.tickets import TICKET_KEY_LENGTH, TICKET_LIFETIME, TicketKeys, Tickets

__all__ = [
    "CHAIN_SCHEMES",
    "CIPHER_SUITES",
    "CLASSICAL_GROUPS",
    "DEFAULT_PADDING",
    "HANDSHAKE_SCHEMES",
    "HEADROOM",
    "HYBRID_GROUPS",
    "MAX_FRAGMENT",
    "MAX_RECORD",
    "PADDED_BELOW",
    "PRIVATE_GROUPS",
    "SCHEMES",
    "TAILROOM",
    "TICKET_KEY_LENGTH",
    "TICKET_LIFETIME",
    "AlertDescription",
    "AlpnDemand",
    "ApplicationData",
    "Authentication",
    "ChainReceived",
    "CipherSuite",
    "ClientAuthentication",
    "ClientConfig",
    "ClientConnection",
    "Clock",
    "Connection",
    "Credential",
    "Entropy",
    "Event",
    "Failed",
    "FatalAlert",
    "HandshakeCompleted",
    "KeyLog",
    "Landing",
    "NamedGroup",
    "Negotiated",
    "Offer",
    "PeerClosed",
    "Run",
    "SchemeTable",
    "Secret",
    "ServerConfig",
    "ServerConnection",
    "Session",
    "SessionTicket",
    "SignatureRequested",
    "SignatureScheme",
    "TicketKeys",
    "TicketReceived",
    "Tickets",
    "Truncated",
    "Verdict",
    "alert_name",
    "is_post_quantum",
]
