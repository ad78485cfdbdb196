"""The client's handshake after ServerHello: judging the server, answering it (RFC 9846 §A.1).

WaitEncryptedExtensions -> WaitCertificateOrRequest -> (WaitCertificate ->)
  WaitCertificateVerify -> WaitServerVerdict -> WaitServerFinished -> (WaitClientSignature ->)
  ClientConnected
"""

from __future__ import annotations

from typing import ClassVar

from pqproxy.tls.alerts import AlertDescription, FatalAlert, decode_error, illegal_parameter
from pqproxy.tls.client_hello import ClientContext
from pqproxy.tls.client_resumption import TicketTaker
from pqproxy.tls.codepoints import ExtensionType, HandshakeType
from pqproxy.tls.events import Negotiated, Verdict
from pqproxy.tls.exporter import Exporter
from pqproxy.tls.extensions import read_alpn, read_record_size_limit, read_uint16_list
from pqproxy.tls.handshake import (
    Action,
    Flight,
    HandshakeComplete,
    LimitRecords,
    ReportTicket,
    Sign,
    Step,
    TrafficSecret,
    Transcript,
    UpdateReceiveSecret,
    UseExporter,
    UseReceiveSecret,
    UseSendSecret,
    VerifyChain,
    WaitSignature,
    WaitVerdict,
    check_finished,
)
from pqproxy.tls.key_schedule import HandshakeSecret, finished_verify_data
from pqproxy.tls.messages import (
    Certificate,
    CertificateRequest,
    CertificateVerify,
    EncryptedExtensions,
    HandshakeMessage,
    NewSessionTicket,
    read_key_update,
)
from pqproxy.tls.negotiation import select_credential
from pqproxy.tls.record import MAX_FRAGMENT
from pqproxy.tls.signatures import (
    CLIENT_CONTEXT,
    SERVER_CONTEXT,
    CertificateVerifyCheck,
    certificate_verify_content,
)
from pqproxy.tls.values import dataclass, replace

_REPORTED_SCHEMES = 32  # of a request that was not met: a server may list thousands


@dataclass(frozen=True, slots=True)
class HandshakeKeys:
    """Keys of the handshake's protected part, and what comes after them."""

    secret: HandshakeSecret
    sending: TrafficSecret
    receiving: TrafficSecret

    @classmethod
    def derive(cls, secret: HandshakeSecret, hello_hash: bytes) -> HandshakeKeys:
        """Derive both directions from ClientHello...ServerHello."""
        return cls(
            secret,
            TrafficSecret(
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
                secret.suite,
                secret.client_handshake_traffic_secret(hello_hash),
            ),
            TrafficSecret(
                "SERVER_HANDSHAKE_TRAFFIC_SECRET",
                secret.suite,
                secret.server_handshake_traffic_secret(hello_hash),
            ),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """What the states after ServerHello hand on."""

    context: ClientContext
    transcript: Transcript
    keys: HandshakeKeys
    negotiated: Negotiated
    requested_schemes: tuple[int, ...] | None = None  # None: no certificate was asked for

    def after(self, message: HandshakeMessage, negotiated: Negotiated | None = None) -> Progress:
        """The same, with one message more in the transcript, and perhaps with what it told."""
        told = negotiated or self.negotiated
        return replace(self, transcript=self.transcript.plus(message), negotiated=told)


@dataclass(frozen=True, slots=True)
class WaitEncryptedExtensions:
    """WAIT_EE."""

    progress: Progress
    requested: frozenset[int]
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.ENCRYPTED_EXTENSIONS})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Read the server's answers."""
        extensions = EncryptedExtensions.read(message.body, self.requested).extensions
        if extensions.get(ExtensionType.SERVER_NAME):
            raise decode_error("server_name in EncryptedExtensions is not empty")
        groups = extensions.get(ExtensionType.SUPPORTED_GROUPS)
        if groups is not None:  # for a later connection; it need only parse (§4.3.7)
            read_uint16_list(groups, "supported_groups")
        protocol = self._alpn_protocol(
            extensions.get(ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION)
        )
        negotiated = self.progress.negotiated
        if protocol is not None:
            negotiated = replace(negotiated, alpn_protocol=protocol)
        progress = self.progress.after(message, negotiated)
        limit = extensions.get(ExtensionType.RECORD_SIZE_LIMIT)
        # The ticket was the server's proof, and ours: there is no certificate to wait for.
        next_state = WaitServerFinished if negotiated.resumed else WaitCertificateOrRequest
        return Step(next_state(progress), _limit_records(limit))

    def _alpn_protocol(self, data: bytes | None) -> bytes | None:
        config = self.progress.context.config
        if data is None:
            if config.alpn_required:
                names = b", ".join(config.alpn_protocols).decode("ascii", "backslashreplace")
                reason = f"the server does not speak {names}"
                raise FatalAlert(AlertDescription.NO_APPLICATION_PROTOCOL, reason)
            return None
        protocols = read_alpn(data)
        if len(protocols) != 1:
            raise decode_error("the server selects more than one protocol")
        if protocols[0] not in config.alpn_protocols:
            raise illegal_parameter("the server selects a protocol that was not offered")
        return protocols[0]


def _limit_records(data: bytes | None) -> tuple[Action, ...]:
    if data is None:
        return ()
    limit = read_record_size_limit(data)
    if limit > MAX_FRAGMENT + 1:  # RFC 8449 §4: a client may refuse what TLS 1.3 cannot mean
        raise illegal_parameter(f"record_size_limit is {limit}")
    return (LimitRecords(limit - 1),)


@dataclass(frozen=True, slots=True)
class WaitCertificateOrRequest:
    """WAIT_CERT_CR."""

    progress: Progress
    expects: ClassVar[frozenset[HandshakeType]] = frozenset(
        {HandshakeType.CERTIFICATE, HandshakeType.CERTIFICATE_REQUEST}
    )

    def on_message(self, message: HandshakeMessage) -> Step:
        """Keep what the request accepts for later, or take the chain."""
        if message.type == HandshakeType.CERTIFICATE:
            return WaitCertificate(self.progress).on_message(message)
        request = CertificateRequest.read(message.body)
        data = request.extensions.get(ExtensionType.SIGNATURE_ALGORITHMS)
        if data is None:
            raise FatalAlert(
                AlertDescription.MISSING_EXTENSION, "CertificateRequest has no signature_algorithms"
            )
        schemes = read_uint16_list(data, "signature_algorithms")
        transcript = self.progress.transcript.plus(message)
        asked = replace(self.progress, transcript=transcript, requested_schemes=schemes)
        return Step(WaitCertificate(asked))


@dataclass(frozen=True, slots=True)
class WaitCertificate:
    """WAIT_CERT."""

    progress: Progress
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.CERTIFICATE})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Take the chain; a server always has one (§4.5.1.3)."""
        chain = Certificate.read(message.body).chain
        if not chain:
            raise decode_error("the server shows no certificate")
        return Step(WaitCertificateVerify(self.progress.after(message), chain))


@dataclass(frozen=True, slots=True)
class WaitCertificateVerify:
    """WAIT_CV: the server proves that it holds the key of its certificate."""

    progress: Progress
    chain: tuple[bytes, ...]
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.CERTIFICATE_VERIFY})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Check the proof; only then is the chain worth judging."""
        verify = CertificateVerify.read(message.body)
        config = self.progress.context.config
        row = CertificateVerifyCheck(
            provider=config.provider,
            accepted=config.signature_schemes,
            context=SERVER_CONTEXT,
            transcript_hash=self.progress.transcript.hash(),
            leaf=self.chain[0],
            schemes=config.schemes,
        ).verify(verify.algorithm, verify.signature)
        negotiated = replace(
            self.progress.negotiated,
            peer_signature_scheme=verify.algorithm,
            peer_chain=self.chain,
        )
        progress = self.progress.after(message, negotiated)
        judged = VerifyChain(self.chain, row.key_algorithm)
        return Step(WaitServerVerdict(progress, row.key_algorithm), (judged,))


@dataclass(frozen=True, slots=True)
class WaitServerVerdict(WaitVerdict):
    """The server's chain is being judged."""

    progress: Progress
    key_algorithm: str  # of the key that made its CertificateVerify

    def on_verdict(self, verdict: Verdict) -> Step:
        """Go on, or refuse with the alert that was decided on."""
        if verdict.alert is not None:
            raise FatalAlert(verdict.alert, verdict.reason)
        clock, negotiated = self.progress.context.config.clock, self.progress.negotiated
        if clock is None:
            return Step(WaitServerFinished(self.progress))
        proof = verdict.authentication(negotiated.peer_chain, clock(), self.key_algorithm)
        negotiated = replace(negotiated, authentication=proof)
        return Step(WaitServerFinished(replace(self.progress, negotiated=negotiated)))


@dataclass(frozen=True, slots=True)
class WaitServerFinished:
    """WAIT_FINISHED."""

    progress: Progress
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.FINISHED})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Check it, then send our own flight."""
        progress = self.progress
        check_finished(message, progress.keys.receiving, progress.transcript.hash(), "server")
        flight = Flight(progress.transcript.plus(message))
        finished_hash = flight.transcript.hash()
        if progress.requested_schemes is None:
            return _finish(progress, progress.negotiated, flight, finished_hash)
        choice = select_credential(progress.context.config, progress.requested_schemes)
        flight.add(Certificate(choice.credential.chain if choice else ()).message())
        if choice is None:
            unmet = progress.requested_schemes[:_REPORTED_SCHEMES]
            told = replace(progress.negotiated, unmet_request=unmet)
            return _finish(progress, told, flight, finished_hash)
        content = certificate_verify_content(CLIENT_CONTEXT, flight.transcript.hash())
        flight.do(Sign(choice.credential, choice.row.algorithm, content))
        next_state = WaitClientSignature(progress, flight.transcript, choice.scheme, finished_hash)
        return Step(next_state, tuple(flight.actions))


@dataclass(frozen=True, slots=True)
class WaitClientSignature(WaitSignature):
    """Our CertificateVerify is being signed."""

    progress: Progress  # up to the server's CertificateVerify
    transcript: Transcript
    scheme: int
    finished_hash: bytes  # of ClientHello...server Finished

    def on_signature(self, signature: bytes) -> Step:
        """Send it, and finish."""
        flight = Flight(self.transcript)
        flight.add(CertificateVerify(self.scheme, signature).message())
        negotiated = replace(self.progress.negotiated, signature_scheme=self.scheme)
        return _finish(self.progress, negotiated, flight, self.finished_hash)


def _finish(
    progress: Progress, negotiated: Negotiated, flight: Flight, finished_hash: bytes
) -> Step:
    """Send Finished and turn application keys on, both ways."""
    suite, sending = progress.keys.secret.suite, progress.keys.sending
    verify_data = finished_verify_data(suite, sending.secret, flight.transcript.hash())
    flight.add(HandshakeMessage(HandshakeType.FINISHED, verify_data))
    main = progress.keys.secret.main_secret()
    flight.do(
        UseSendSecret(
            TrafficSecret(
                "CLIENT_TRAFFIC_SECRET_0",
                suite,
                main.client_application_traffic_secret_0(finished_hash),
            )
        ),
        UseReceiveSecret(
            TrafficSecret(
                "SERVER_TRAFFIC_SECRET_0",
                suite,
                main.server_application_traffic_secret_0(finished_hash),
            )
        ),
        UseExporter(Exporter(suite, main.exporter_secret(finished_hash))),
        HandshakeComplete(negotiated),
    )
    taker = TicketTaker.of(progress.context.config.clock, negotiated, main, flight.transcript)
    return Step(ClientConnected(taker), tuple(flight.actions))


@dataclass(frozen=True, slots=True)
class ClientConnected:
    """CONNECTED."""

    taker: TicketTaker | None = None
    expects: ClassVar[frozenset[HandshakeType]] = frozenset(
        {HandshakeType.NEW_SESSION_TICKET, HandshakeType.KEY_UPDATE}
    )

    def on_message(self, message: HandshakeMessage) -> Step:
        """A server may update its key, or offer a ticket: read, whether it is wanted or not."""
        if message.type == HandshakeType.NEW_SESSION_TICKET:
            given = NewSessionTicket.read(message.body)
            ticket = None if self.taker is None else self.taker.take(given)
            return Step(self, () if ticket is None else (ReportTicket(ticket),))
        return Step(self, (UpdateReceiveSecret(read_key_update(message.body)),))
