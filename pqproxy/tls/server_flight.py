"""The server's flight, ServerHello to the request for its signature (RFC 9846 §4.2.3, §4.4).

Given what was selected, agrees on keys and queues the messages in the one right order.
"""

from __future__ import annotations

from dataclasses import dataclass

from pqproxy.tls.codepoints import TLS_1_3, CipherSuite, ExtensionType
from pqproxy.tls.config import ClientAuthentication
from pqproxy.tls.events import Negotiated, Offer
from pqproxy.tls.extensions import (
    KeyShareEntry,
    read_record_size_limit,
    write_alpn,
    write_uint16_list,
)
from pqproxy.tls.handshake import (
    Action,
    Flight,
    LimitRecords,
    SendChangeCipherSpec,
    Sign,
    SkipEarlyData,
    Step,
    TrafficSecret,
    Transcript,
    UseReceiveSecret,
    UseSendSecret,
)
from pqproxy.tls.key_schedule import EarlySecret, HandshakeSecret
from pqproxy.tls.messages import (
    Certificate,
    CertificateRequest,
    ClientHello,
    EncryptedExtensions,
    ServerHello,
)
from pqproxy.tls.negotiation import CredentialChoice
from pqproxy.tls.record import MAX_FRAGMENT
from pqproxy.tls.server_authentication import ServerContext, WaitServerSignature
from pqproxy.tls.signatures import SERVER_CONTEXT, certificate_verify_content

SELECTED_VERSION = TLS_1_3.to_bytes(2, "big")
OUR_RECORD_SIZE_LIMIT = (MAX_FRAGMENT + 1).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Selection:
    """What we chose from the first ClientHello; a second one cannot change it."""

    cipher_suite: CipherSuite
    group: int
    credential: CredentialChoice
    alpn_protocol: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's flight, ServerHello to CertificateVerify, for one ClientHello."""

    context: ServerContext
    hello: ClientHello
    offer: Offer
    selection: Selection
    after_retry: bool = False

    def send(self, transcript: Transcript, share: KeyShareEntry) -> Step:
        """Agree on keys, send all but CertificateVerify, and ask for its signature."""
        exchange = self.context.exchanges[self.selection.group]
        server_share = exchange.respond(share.key_exchange, self.context.entropy)
        server_hello = ServerHello(
            random=self.context.entropy(32),
            legacy_session_id_echo=self.hello.legacy_session_id,
            cipher_suite=self.selection.cipher_suite,
            extensions={
                ExtensionType.SUPPORTED_VERSIONS: SELECTED_VERSION,
                ExtensionType.KEY_SHARE: KeyShareEntry(
                    self.selection.group, server_share.key_exchange
                ).write(),
            },
        )
        flight = Flight(transcript)
        flight.add(server_hello.message())
        if self.hello.legacy_session_id and not self.after_retry:
            flight.do(SendChangeCipherSpec())  # after our first message, and only there (§E.4)
        early = EarlySecret.without_psk(transcript.suite)
        secret = early.handshake_secret(server_share.shared_secret)
        return self._authenticate(flight, secret)

    def _authenticate(self, flight: Flight, secret: HandshakeSecret) -> Step:
        suite, hello_hash = secret.suite, flight.transcript.hash()
        sending = TrafficSecret(
            "SERVER_HANDSHAKE_TRAFFIC_SECRET",
            suite,
            secret.server_handshake_traffic_secret(hello_hash),
        )
        receiving = TrafficSecret(
            "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            suite,
            secret.client_handshake_traffic_secret(hello_hash),
        )
        flight.do(*self._limits(), UseSendSecret(sending), UseReceiveSecret(receiving))
        flight.do(SkipEarlyData(skip=ExtensionType.EARLY_DATA in self.hello.extensions))
        flight.add(self._encrypted_extensions().message())
        if self.context.config.client_authentication is not ClientAuthentication.NONE:
            flight.add(self._certificate_request().message())
        choice = self.selection.credential
        flight.add(Certificate(choice.credential.chain).message())
        content = certificate_verify_content(SERVER_CONTEXT, flight.transcript.hash())
        flight.do(Sign(choice.credential, choice.scheme, content))
        next_state = WaitServerSignature(
            self.context,
            flight.transcript,
            secret,
            sending,
            receiving,
            self._negotiated(),
            choice.scheme,
        )
        return Step(next_state, tuple(flight.actions))

    def _limits(self) -> tuple[Action, ...]:
        limit = self.hello.extensions.get(ExtensionType.RECORD_SIZE_LIMIT)
        if limit is None:
            return ()
        return (LimitRecords(read_record_size_limit(limit) - 1),)  # it counts the type byte too

    def _encrypted_extensions(self) -> EncryptedExtensions:
        extensions: dict[int, bytes] = {}
        if self.selection.alpn_protocol is not None:
            extensions[ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION] = write_alpn(
                (self.selection.alpn_protocol,)
            )
        if ExtensionType.RECORD_SIZE_LIMIT in self.hello.extensions:
            extensions[ExtensionType.RECORD_SIZE_LIMIT] = OUR_RECORD_SIZE_LIMIT
        return EncryptedExtensions(extensions)

    def _certificate_request(self) -> CertificateRequest:
        config = self.context.config
        return CertificateRequest(
            {
                ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list(config.signature_schemes),
                ExtensionType.SIGNATURE_ALGORITHMS_CERT: write_uint16_list(
                    config.chain_signature_schemes
                ),
            }
        )

    def _negotiated(self) -> Negotiated:
        return Negotiated(
            group=self.selection.group,
            cipher_suite=self.selection.cipher_suite,
            signature_scheme=self.selection.credential.scheme,
            peer_signature_scheme=None,
            peer_chain=(),
            server_name=self.offer.server_name,
            alpn_protocol=self.selection.alpn_protocol,
            hello_retry=self.after_retry,
        )
