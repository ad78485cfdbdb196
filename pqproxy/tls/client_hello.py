"""What a client offers: its ClientHello and the key shares that go with it (RFC 9846 §4.2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pqproxy.tls.client_resumption import fits, offer_ticket
from pqproxy.tls.codec import Writer
from pqproxy.tls.codepoints import LEGACY_VERSION, TLS_1_3, ExtensionType
from pqproxy.tls.config import ClientConfig
from pqproxy.tls.extensions import (
    Extensions,
    KeyShareEntry,
    write_alpn,
    write_server_name,
    write_uint16_list,
)
from pqproxy.tls.handshake import Transcript
from pqproxy.tls.key_exchange import ClientShare, Entropy, KeyExchanges
from pqproxy.tls.messages import ClientHello, HandshakeMessage
from pqproxy.tls.pre_shared_key import OUR_MODES
from pqproxy.tls.record import MAX_FRAGMENT
from pqproxy.tls.session import SessionTicket
from pqproxy.tls.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class ClientContext:
    """What does not change during a handshake."""

    config: ClientConfig
    exchanges: KeyExchanges
    entropy: Entropy
    ticket: SessionTicket | None = None  # to be offered


@dataclass(frozen=True, slots=True)
class ClientOffer:
    """A ClientHello, and the private halves of its key shares."""

    hello: ClientHello
    shares: Mapping[int, ClientShare]
    ticket: SessionTicket | None = None  # offered in this hello
    message: HandshakeMessage = field(init=False, repr=False, compare=False)  # the hello, written

    def __post_init__(self) -> None:
        """Write it once: it is sent, and it is part of the transcript."""
        object.__setattr__(self, "message", self.hello.message())

    @classmethod
    def make(cls, context: ClientContext) -> ClientOffer:
        """Make the first ClientHello."""
        shares = _make_shares(context, context.config.key_shares)
        hello = ClientHello(
            legacy_version=LEGACY_VERSION,
            random=context.entropy(32),
            legacy_session_id=context.entropy(32),  # not empty: compatibility mode (§E.4)
            cipher_suites=tuple(context.config.cipher_suites),
            legacy_compression_methods=b"\0",
            extensions=_extensions(context.config, shares),
        )
        ticket, clock = context.ticket, context.config.clock
        if ticket is None or clock is None:
            return cls(hello, shares)
        return cls(offer_ticket(hello, ticket, clock), shares, ticket)

    def again(
        self,
        context: ClientContext,
        transcript: Transcript,
        group: int | None,
        cookie: bytes | None,
    ) -> ClientOffer:
        """Make the second ClientHello: a share for `group` if one is asked for, the cookie if
        one was given, the ticket bound anew to the `transcript` up to here or left out where the
        server's suite does not fit it, and nothing else changed (§4.2.2)."""
        extensions = dict(self.hello.extensions)
        extensions.pop(ExtensionType.PRE_SHARED_KEY, None)
        shares = self.shares
        if group is not None:
            shares = _make_shares(context, (group,))
            extensions[ExtensionType.KEY_SHARE] = _write_shares(shares)
        if cookie is not None:
            extensions[ExtensionType.COOKIE] = Writer().opaque(cookie, 2).finish()
        hello, clock = replace(self.hello, extensions=extensions), context.config.clock
        if self.ticket is None or clock is None or not fits(self.ticket, transcript.suite):
            return ClientOffer(hello, shares)
        return ClientOffer(offer_ticket(hello, self.ticket, clock, transcript), shares, self.ticket)


def _make_shares(context: ClientContext, groups: tuple[int, ...]) -> Mapping[int, ClientShare]:
    return {group: context.exchanges[group].offer(context.entropy) for group in groups}


def _write_shares(shares: Mapping[int, ClientShare]) -> bytes:
    entries = b"".join(
        KeyShareEntry(group, share.key_exchange).write() for group, share in shares.items()
    )
    return Writer().opaque(entries, 2).finish()


def _extensions(config: ClientConfig, shares: Mapping[int, ClientShare]) -> Extensions:
    extensions: dict[int, bytes] = {}
    if config.server_name is not None:
        extensions[ExtensionType.SERVER_NAME] = write_server_name(config.server_name)
    extensions[ExtensionType.SUPPORTED_VERSIONS] = write_uint16_list((TLS_1_3,), prefix=1)
    extensions[ExtensionType.SUPPORTED_GROUPS] = write_uint16_list(config.groups)
    extensions[ExtensionType.SIGNATURE_ALGORITHMS] = write_uint16_list(config.signature_schemes)
    extensions[ExtensionType.SIGNATURE_ALGORITHMS_CERT] = write_uint16_list(
        config.chain_signature_schemes
    )
    if config.alpn_protocols:
        extensions[ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION] = write_alpn(
            config.alpn_protocols
        )
    if config.clock is not None:
        extensions[ExtensionType.PSK_KEY_EXCHANGE_MODES] = OUR_MODES
    extensions[ExtensionType.RECORD_SIZE_LIMIT] = (MAX_FRAGMENT + 1).to_bytes(2, "big")
    extensions[ExtensionType.KEY_SHARE] = _write_shares(shares)
    return extensions
