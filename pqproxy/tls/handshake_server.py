"""The server's side of the handshake up to its answer (RFC 9846 §A.2), one class per state.

    WaitClientHello -> CheckClientHello -> AnswerClientHello ->
      (HelloRetryRequest -> WaitSecondClientHello ->)
      the flight of `server_flight.py`, then the states of `server_authentication.py`

Cheap checks come first: lengths, versions, groups and policy before ML-KEM, ML-KEM before
signing. Sends nothing and knows no connection: see `handshake.py`.
"""

from __future__ import annotations

from typing import ClassVar

from pqproxy.tls.alerts import AlertDescription, FatalAlert, decode_error, illegal_parameter
from pqproxy.tls.codepoints import ExtensionType, HandshakeType
from pqproxy.tls.events import Offer
from pqproxy.tls.extensions import (
    Block,
    KeyShareEntry,
    check_places,
    read_record_size_limit,
)
from pqproxy.tls.handshake import (
    ExpectAnswer,
    Flight,
    Proceed,
    Proceeding,
    ReportOffer,
    SendChangeCipherSpec,
    SkipEarlyData,
    Step,
    Transcript,
)
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.messages import (
    HELLO_RETRY_REQUEST_RANDOM,
    ClientHello,
    HandshakeMessage,
    ServerHello,
)
from pqproxy.tls.negotiation import (
    check_second_client_hello,
    check_shares_were_offered,
    offers_post_quantum,
    read_offer,
    read_offered_shares,
    select_alpn_protocol,
    select_cipher_suite,
    select_group,
    select_server_credential,
    select_version,
)
from pqproxy.tls.pre_shared_key import OfferedPsks, read_psk_key_exchange_modes
from pqproxy.tls.server_authentication import ServerContext
from pqproxy.tls.server_flight import SELECTED_VERSION, Answer, Selection
from pqproxy.tls.server_resumption import find_session
from pqproxy.tls.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class WaitClientHello:
    """START: nothing is known of the client."""

    context: ServerContext
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.CLIENT_HELLO})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Read the hello; it is judged in the states that follow, so that its offer is known even
        if that ends in a refusal."""
        hello = ClientHello.read(message.body)
        shares = read_offered_shares(hello)
        offer = read_offer(hello, self.context.config.schemes, shares)
        check = CheckClientHello(self.context, message, hello, offer, shares)
        return Step(check, (ReportOffer(offer.excerpt()), Proceed(check)))


@dataclass(frozen=True, slots=True)
class CheckClientHello(Proceeding):
    """Is the hello sound? If so, say whether its groups would do under every policy."""

    context: ServerContext
    message: HandshakeMessage
    hello: ClientHello
    offer: Offer
    shares: tuple[KeyShareEntry, ...]

    def proceed(self) -> Step:
        """Check what does not depend on our choices."""
        select_version(self.hello)
        check_client_hello(self.hello)
        check_shares_were_offered(self.offer, self.shares)
        post_quantum = offers_post_quantum(self.offer, self.context.config.groups)
        offer = replace(self.offer, post_quantum=post_quantum)
        answer = AnswerClientHello(self.context, self.message, self.hello, offer, self.shares)
        return Step(answer, (ReportOffer(offer.excerpt()), Proceed(answer)))


@dataclass(frozen=True, slots=True)
class AnswerClientHello(Proceeding):
    """RECVD_CH: choose, then answer with a ServerHello or ask again."""

    context: ServerContext
    message: HandshakeMessage
    hello: ClientHello
    offer: Offer
    shares: tuple[KeyShareEntry, ...]

    def proceed(self) -> Step:
        """Negotiate (§4.2.1), the group first: a policy that refuses it is the reason to name."""
        config, offer = self.context.config, self.offer
        choice = select_group(offer, self.shares, config.groups)
        cipher_suite = select_cipher_suite(self.hello.cipher_suites, config.cipher_suites)
        protocol = select_alpn_protocol(
            offer.alpn_protocols, config.alpn_protocols, config.alpn_demand
        )
        resumption = find_session(config, self.hello, SUITES[cipher_suite], protocol)
        selection = Selection(
            cipher_suite=cipher_suite,
            group=choice.group,
            credential=None if resumption else select_server_credential(config, offer),
            alpn_protocol=protocol,
        )
        transcript = Transcript(SUITES[cipher_suite])
        if choice.share is None:  # the second hello has a binder of its own
            return self._retry(transcript.plus(self.message), selection)
        if resumption is not None:
            resumption.check_binder(transcript, self.message)
        answer = Answer(self.context, self.hello, offer, selection, resumption=resumption)
        return answer.send(transcript.plus(self.message), choice.share)

    def _retry(self, transcript: Transcript, selection: Selection) -> Step:
        """Ask for a share of our group (§4.2.4). Happens once: the next state expects no other."""
        retry = ServerHello(
            random=HELLO_RETRY_REQUEST_RANDOM,
            legacy_session_id_echo=self.hello.legacy_session_id,
            cipher_suite=selection.cipher_suite,
            extensions={
                ExtensionType.SUPPORTED_VERSIONS: SELECTED_VERSION,
                ExtensionType.KEY_SHARE: selection.group.to_bytes(2, "big"),
            },
        )
        flight = Flight(transcript.replaced_by_hash())
        flight.add(retry.message())
        flight.do(ExpectAnswer())
        if self.hello.legacy_session_id:
            flight.do(SendChangeCipherSpec())
        if ExtensionType.EARLY_DATA in self.hello.extensions:
            flight.do(SkipEarlyData(skip=True))
        next_state = WaitSecondClientHello(
            self.context, flight.transcript, self.message, self.offer.excerpt(), selection
        )
        return Step(next_state, tuple(flight.actions))


def check_client_hello(hello: ClientHello) -> None:
    """What a TLS 1.3 ClientHello must be, whatever it offers (§4.2.2, §9.2)."""
    if hello.legacy_compression_methods != b"\0":
        raise illegal_parameter("ClientHello offers compression")
    extensions = hello.extensions
    check_places(Block.CLIENT_HELLO, extensions)
    if ExtensionType.PRE_SHARED_KEY in extensions:
        if list(extensions)[-1] != ExtensionType.PRE_SHARED_KEY:
            raise illegal_parameter("pre_shared_key is not the last extension")
        OfferedPsks.read(extensions[ExtensionType.PRE_SHARED_KEY])
        if ExtensionType.PSK_KEY_EXCHANGE_MODES not in extensions:
            raise _missing("psk_key_exchange_modes")
    if ExtensionType.PSK_KEY_EXCHANGE_MODES in extensions:
        read_psk_key_exchange_modes(extensions[ExtensionType.PSK_KEY_EXCHANGE_MODES])
    required = [ExtensionType.SUPPORTED_GROUPS, ExtensionType.KEY_SHARE]
    if ExtensionType.PRE_SHARED_KEY not in extensions:  # else only if we come to sign (§4.3.3)
        required.append(ExtensionType.SIGNATURE_ALGORITHMS)
    for extension in required:
        if extension not in extensions:
            raise _missing(extension.name.lower())
    limit = extensions.get(ExtensionType.RECORD_SIZE_LIMIT)
    if limit is not None:
        read_record_size_limit(limit)
    if extensions.get(ExtensionType.EARLY_DATA):
        raise decode_error("early_data in a ClientHello is not empty")


def _missing(name: str) -> FatalAlert:
    return FatalAlert(AlertDescription.MISSING_EXTENSION, f"ClientHello has no {name}")


@dataclass(frozen=True, slots=True)
class WaitSecondClientHello:
    """After our HelloRetryRequest: the same hello again, with the share we asked for."""

    context: ServerContext
    transcript: Transcript
    first: HandshakeMessage  # as bytes: a hello read can be ten times as large
    offer: Offer
    selection: Selection
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.CLIENT_HELLO})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Check that nothing else changed, and answer."""
        hello = ClientHello.read(message.body)
        select_version(hello)
        check_client_hello(hello)
        first_hello = ClientHello.read(self.first.body)
        share = check_second_client_hello(first_hello, hello, self.selection.group)
        config, selection = self.context.config, self.selection
        protocol = selection.alpn_protocol
        resumption = find_session(config, hello, self.transcript.suite, protocol)
        if resumption is not None:
            resumption.check_binder(self.transcript, message)
        elif selection.credential is None:  # the ticket of the first hello is there no more
            # Not from what we kept of the first hello: there its lists are cut.
            credential = select_server_credential(config, read_offer(hello, config.schemes))
            selection = replace(selection, credential=credential)
        answer = Answer(
            self.context, hello, self.offer, selection, after_retry=True, resumption=resumption
        )
        return answer.send(self.transcript.plus(message), share)
