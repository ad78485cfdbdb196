"""What an engine is told: plain values, fixed for the life of a connection."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from pqproxy.crypto import PrivateKey, Provider
from pqproxy.tls.codepoints import CipherSuite, NamedGroup
from pqproxy.tls.key_exchange import HYBRID_GROUPS
from pqproxy.tls.schemes import CHAIN_SCHEMES, HANDSHAKE_SCHEMES, SCHEMES, SchemeTable
from pqproxy.tls.session import Clock
from pqproxy.tls.tickets import Tickets

CIPHER_SUITES = (CipherSuite.TLS_AES_256_GCM_SHA384, CipherSuite.TLS_AES_128_GCM_SHA256)
DEFAULT_PADDING = 256


class ClientAuthentication(Enum):
    """Whether a server asks for a client certificate (§4.4.2)."""

    NONE = auto()
    REQUEST = auto()
    REQUIRE = auto()


class AlpnDemand(Enum):
    """Whether a server insists on one of its protocols (RFC 7301 §3.2)."""

    NONE = auto()  # a list without any of ours is ignored, as if there was none
    COMMON = auto()  # such a list is refused; a client without a list is not
    ALWAYS = auto()  # a client without a list is refused too


@dataclass(frozen=True, slots=True)
class Credential:
    """A certificate chain and the key it certifies."""

    chain: tuple[bytes, ...]  # DER, leaf first, without the root
    private_key: PrivateKey = field(repr=False)
    key_algorithm: str  # as `crypto.key_algorithm` names it


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """What a server offers and accepts, in its order of preference."""

    credentials: tuple[Credential, ...]
    provider: Provider
    groups: tuple[int, ...] = HYBRID_GROUPS
    cipher_suites: tuple[CipherSuite, ...] = CIPHER_SUITES
    client_authentication: ClientAuthentication = ClientAuthentication.NONE
    schemes: SchemeTable = SCHEMES  # what the numbers of signatures stand for
    signature_schemes: tuple[int, ...] = HANDSHAKE_SCHEMES  # accepted from a client
    chain_signature_schemes: tuple[int, ...] = CHAIN_SCHEMES  # accepted in its chain
    alpn_protocols: tuple[bytes, ...] = ()  # empty: the client's list is ignored
    alpn_demand: AlpnDemand = AlpnDemand.COMMON
    # Some of `alpn_protocols`: where certificates are asked for, not without one.
    certificate_protocols: tuple[bytes, ...] = ()
    padding: int = DEFAULT_PADDING
    tickets: Tickets | None = None  # None: no ticket is given or taken

    def demands_certificate(self, protocol: bytes | None) -> bool:
        """Whether a client must show a certificate, given the protocol that was selected."""
        if self.client_authentication is ClientAuthentication.REQUEST:
            return protocol in self.certificate_protocols
        return self.client_authentication is ClientAuthentication.REQUIRE


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """What a client offers, in its order of preference."""

    provider: Provider
    server_name: str | None = None  # a DNS name; never a literal address (RFC 6066 §3)
    groups: tuple[int, ...] = HYBRID_GROUPS
    key_shares: tuple[int, ...] = (NamedGroup.X25519MLKEM768,)  # some of `groups`
    cipher_suites: tuple[CipherSuite, ...] = CIPHER_SUITES
    credentials: tuple[Credential, ...] = ()
    schemes: SchemeTable = SCHEMES  # what the numbers of signatures stand for
    signature_schemes: tuple[int, ...] = HANDSHAKE_SCHEMES
    chain_signature_schemes: tuple[int, ...] = CHAIN_SCHEMES
    alpn_protocols: tuple[bytes, ...] = ()
    alpn_required: bool = False  # refuse a server that selects none
    padding: int = DEFAULT_PADDING
    clock: Clock | None = None  # None: no ticket is wanted
