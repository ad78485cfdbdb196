"""The client's side of the handshake up to ServerHello (RFC 9846 §A.1).

    WaitServerHello -> (after a HelloRetryRequest: again ->) the states of
      `client_authentication.py`

Sends nothing and knows no connection: see `handshake.py`.
"""

from __future__ import annotations

from typing import ClassVar

from pqproxy.tls.alerts import AlertDescription, FatalAlert, illegal_parameter, unexpected_message
from pqproxy.tls.client_authentication import HandshakeKeys, Progress, WaitEncryptedExtensions
from pqproxy.tls.client_hello import ClientContext, ClientOffer
from pqproxy.tls.client_resumption import accepted_session
from pqproxy.tls.codepoints import (
    LEGACY_VERSION,
    TLS_1_3,
    CipherSuite,
    ExtensionType,
    HandshakeType,
    NamedGroup,
    name_of,
)
from pqproxy.tls.events import Negotiated
from pqproxy.tls.extensions import (
    Block,
    check_places,
    read_cookie,
    read_server_share,
    read_single_uint16,
)
from pqproxy.tls.handshake import (
    Action,
    ExpectAnswer,
    Flight,
    SendChangeCipherSpec,
    Step,
    Transcript,
    UseReceiveSecret,
    UseSendSecret,
)
from pqproxy.tls.key_schedule import SUITES, EarlySecret
from pqproxy.tls.messages import HandshakeMessage, ServerHello
from pqproxy.tls.values import dataclass

# How the random of a ServerHello ends when a server that speaks TLS 1.3 was made to answer with
# less (§4.2.3).
DOWNGRADES = (b"DOWNGRD\x01", b"DOWNGRD\x00")


@dataclass(frozen=True, slots=True)
class Retry:
    """What a HelloRetryRequest fixed: the suite, and the transcript up to our second hello."""

    cipher_suite: int
    transcript: Transcript


@dataclass(frozen=True, slots=True)
class WaitServerHello:
    """WAIT_SH: our ClientHello is out."""

    context: ClientContext
    offer: ClientOffer
    retry: Retry | None = None
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.SERVER_HELLO})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Take a ServerHello, or once a HelloRetryRequest."""
        hello = ServerHello.read(message.body)
        suite = self._check(hello)
        if hello.is_hello_retry_request:
            return self._hello_again(message, hello, suite)
        return self._agree(message, hello, suite)

    def _check(self, hello: ServerHello) -> CipherSuite:
        """What both kinds of ServerHello must be (§4.2.3)."""
        block = Block.HELLO_RETRY_REQUEST if hello.is_hello_retry_request else Block.SERVER_HELLO
        version = hello.extensions.get(ExtensionType.SUPPORTED_VERSIONS)
        if version is None:
            raise _older_version(hello)
        if read_single_uint16(version, "supported_versions") != TLS_1_3:
            raise illegal_parameter("the server selects a version that was not offered")
        if hello.legacy_version != LEGACY_VERSION:
            reason = f"ServerHello has legacy_version 0x{hello.legacy_version:04x}"
            raise FatalAlert(AlertDescription.PROTOCOL_VERSION, reason)
        if hello.is_hello_retry_request and self.retry:
            raise unexpected_message("a second HelloRetryRequest")
        check_places(block, hello.extensions, self.offer.hello.extensions)
        if hello.legacy_session_id_echo != self.offer.hello.legacy_session_id:
            raise illegal_parameter("ServerHello does not echo the session id")
        if hello.legacy_compression_method != 0:
            raise illegal_parameter("ServerHello selects compression")
        if hello.cipher_suite not in self.context.config.cipher_suites:
            raise illegal_parameter("ServerHello selects a cipher suite that was not offered")
        if self.retry and hello.cipher_suite != self.retry.cipher_suite:
            raise illegal_parameter("ServerHello changes the suite of the HelloRetryRequest")
        return CipherSuite(hello.cipher_suite)

    def _hello_again(
        self, message: HandshakeMessage, retry: ServerHello, suite: CipherSuite
    ) -> Step:
        """Answer a HelloRetryRequest (§4.2.4): only to a group offered and not yet shared."""
        selected = retry.extensions.get(ExtensionType.KEY_SHARE)
        cookie = retry.extensions.get(ExtensionType.COOKIE)
        group = None
        if selected is not None:
            group = read_single_uint16(selected, "key_share")
            if group not in self.context.config.groups or group in self.offer.shares:
                name = name_of(NamedGroup, group)
                raise illegal_parameter(
                    f"HelloRetryRequest asks for {name}: not offered, or shared"
                )
        elif cookie is None:
            raise illegal_parameter("HelloRetryRequest changes nothing")
        first = Transcript(SUITES[suite]).plus(self.offer.message)
        flight = Flight(first.replaced_by_hash().plus(message))
        offer = self.offer.again(
            self.context,
            flight.transcript,
            group,
            None if cookie is None else read_cookie(cookie),
        )
        flight.do(ExpectAnswer(), SendChangeCipherSpec())
        flight.add(offer.message)
        next_state = WaitServerHello(self.context, offer, Retry(suite, flight.transcript))
        return Step(next_state, tuple(flight.actions))

    def _agree(self, message: HandshakeMessage, hello: ServerHello, suite: CipherSuite) -> Step:
        """Complete the key exchange and turn handshake keys on, both ways."""
        session = accepted_session(hello.extensions, self.offer.ticket, suite)
        if ExtensionType.KEY_SHARE not in hello.extensions:
            raise FatalAlert(AlertDescription.MISSING_EXTENSION, "ServerHello has no key_share")
        share = read_server_share(hello.extensions[ExtensionType.KEY_SHARE])
        if share.group not in self.offer.shares:
            name = name_of(NamedGroup, share.group)
            raise illegal_parameter(f"ServerHello selects {name}, for which no share was sent")
        shared_secret = self.offer.shares[share.group].complete(share.key_exchange)
        transcript = self._transcript(suite).plus(message)
        early = (
            EarlySecret.with_psk(transcript.suite, session.psk)
            if session
            else EarlySecret.without_psk(transcript.suite)
        )
        keys = HandshakeKeys.derive(early.handshake_secret(shared_secret), transcript.hash())
        # The dummy record stands before our second flight (§E.4): that was the second hello, or
        # begins here. Sending is protected from here on, so that an alert is too.
        compatibility: tuple[Action, ...] = () if self.retry else (SendChangeCipherSpec(),)
        negotiated = Negotiated(
            group=share.group,
            cipher_suite=suite,
            signature_scheme=None,
            peer_signature_scheme=None,
            peer_chain=(),
            server_name=self.context.config.server_name,
            alpn_protocol=None,
            hello_retry=self.retry is not None,
            resumed=session is not None,
            authentication=session.authentication if session else None,
            schemes=self.context.config.schemes,
        )
        progress = Progress(self.context, transcript, keys, negotiated)
        return Step(
            WaitEncryptedExtensions(progress, frozenset(self.offer.hello.extensions)),
            (*compatibility, UseSendSecret(keys.sending), UseReceiveSecret(keys.receiving)),
        )

    def _transcript(self, suite: CipherSuite) -> Transcript:
        """Up to our last hello."""
        if self.retry:
            return self.retry.transcript
        return Transcript(SUITES[suite]).plus(self.offer.message)


def _older_version(hello: ServerHello) -> FatalAlert:
    if hello.random.endswith(DOWNGRADES):
        return illegal_parameter("the server speaks TLS 1.3, and somebody between us hides it")
    return FatalAlert(AlertDescription.PROTOCOL_VERSION, "the server speaks no TLS 1.3")
