"""The server's flight, ServerHello to the request for its signature (RFC 9846 §4.2.3, §4.4).

Given what was selected, agrees on keys and queues the messages in the one right order.
"""

from __future__ import annotations

from functools import lru_cache

from pqproxy.tls.codepoints import TLS_1_3, CipherSuite, ExtensionType
from pqproxy.tls.config import ClientAuthentication
from pqproxy.tls.events import Negotiated, Offer
from pqproxy.tls.extensions import (
    Extensions,
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
    HandshakeMessage,
    ServerHello,
)
from pqproxy.tls.negotiation import CredentialChoice
from pqproxy.tls.pre_shared_key import takes_tickets
from pqproxy.tls.record import MAX_FRAGMENT
from pqproxy.tls.server_authentication import ServerContext, ServerFinish, WaitServerSignature
from pqproxy.tls.server_resumption import Resumption
from pqproxy.tls.signatures import SERVER_CONTEXT, certificate_verify_content
from pqproxy.tls.values import dataclass

SELECTED_VERSION = TLS_1_3.to_bytes(2, "big")
OUR_RECORD_SIZE_LIMIT = (MAX_FRAGMENT + 1).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class Selection:
    """What we chose from the first ClientHello; a second one cannot change it."""

    cipher_suite: CipherSuite
    group: int
    credential: CredentialChoice | None  # None: a ticket stands for it
    alpn_protocol: bytes | None


@dataclass(frozen=True, slots=True)
class Answer:
    """The server's flight, ServerHello to CertificateVerify or Finished, for one ClientHello."""

    context: ServerContext
    hello: ClientHello
    offer: Offer
    selection: Selection
    after_retry: bool = False
    resumption: Resumption | None = None

    def send(self, transcript: Transcript, share: KeyShareEntry) -> Step:
        """Agree on keys and send everything, up to where a signature is needed."""
        exchange = self.context.exchanges[self.selection.group]
        server_share = exchange.respond(share.key_exchange, self.context.entropy)
        server_hello = ServerHello(
            random=self.context.entropy(32),
            legacy_session_id_echo=self.hello.legacy_session_id,
            cipher_suite=self.selection.cipher_suite,
            extensions=self._hello_extensions(server_share.key_exchange),
        )
        flight = Flight(transcript)
        flight.add(server_hello.message())
        if self.hello.legacy_session_id and not self.after_retry:
            flight.do(SendChangeCipherSpec())  # after our first message, and only there (§E.4)
        secret = self._early_secret(transcript).handshake_secret(server_share.shared_secret)
        return self._protect(flight, secret)

    def _hello_extensions(self, key_exchange: bytes) -> Extensions:
        extensions: dict[int, bytes] = {
            ExtensionType.SUPPORTED_VERSIONS: SELECTED_VERSION,
            ExtensionType.KEY_SHARE: KeyShareEntry(self.selection.group, key_exchange).write(),
        }
        if self.resumption is not None:
            selected = self.resumption.selected_identity
            extensions[ExtensionType.PRE_SHARED_KEY] = selected.to_bytes(2, "big")
        return extensions

    def _early_secret(self, transcript: Transcript) -> EarlySecret:
        if self.resumption is None:
            return EarlySecret.without_psk(transcript.suite)
        return self.resumption.early_secret(transcript.suite)

    def _protect(self, flight: Flight, secret: HandshakeSecret) -> Step:
        """Turn handshake keys on, both ways, and go on under them."""
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
        finish = ServerFinish(
            self.context,
            secret,
            sending,
            receiving,
            self._negotiated(),
            gives_tickets=takes_tickets(self.hello),
        )
        if self.resumption is not None:  # that we have its key is our proof
            return Step(finish.send(flight), tuple(flight.actions))
        return self._authenticate(flight, finish)

    def _authenticate(self, flight: Flight, finish: ServerFinish) -> Step:
        choice = self.selection.credential
        if choice is None:
            raise RuntimeError("a full handshake without a certificate")
        if self.context.config.client_authentication is not ClientAuthentication.NONE:
            config = self.context.config
            flight.add(_request(config.signature_schemes, config.chain_signature_schemes))
        flight.add(_certificate(choice.credential.chain))
        content = certificate_verify_content(SERVER_CONTEXT, flight.transcript.hash())
        flight.do(Sign(choice.credential, choice.row.algorithm, content))
        next_state = WaitServerSignature(finish, flight.transcript, choice.scheme)
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

    def _negotiated(self) -> Negotiated:
        choice, resumption = self.selection.credential, self.resumption
        return Negotiated(
            group=self.selection.group,
            cipher_suite=self.selection.cipher_suite,
            signature_scheme=None if choice is None or resumption else choice.scheme,
            peer_signature_scheme=None,
            peer_chain=(),
            server_name=self.offer.server_name,
            alpn_protocol=self.selection.alpn_protocol,
            hello_retry=self.after_retry,
            resumed=resumption is not None,
            authentication=resumption.session.authentication if resumption else None,
            schemes=self.context.config.schemes,
        )


# What a listener says to every client alike is written once.


@lru_cache(maxsize=64)
def _certificate(chain: tuple[bytes, ...]) -> HandshakeMessage:
    return Certificate(chain).message()


@lru_cache(maxsize=64)
def _request(schemes: tuple[int, ...], chain_schemes: tuple[int, ...]) -> HandshakeMessage:
    extensions: dict[int, bytes] = {
        ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list(schemes),
        ExtensionType.SIGNATURE_ALGORITHMS_CERT: write_uint16_list(chain_schemes),
    }
    return CertificateRequest(extensions).message()
