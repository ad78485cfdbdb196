"""The server's handshake after its own flight: signing it, and judging the client (RFC 9846 §A.2).

(WaitServerSignature ->) (WaitCertificate -> WaitCertificateVerify -> WaitClientVerdict ->)
  WaitFinished -> ServerConnected
"""

from __future__ import annotations

from typing import ClassVar

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codepoints import HandshakeType
from pqproxy.tls.config import ClientAuthentication, ServerConfig
from pqproxy.tls.events import Negotiated, Verdict
from pqproxy.tls.exporter import Exporter
from pqproxy.tls.handshake import (
    Flight,
    HandshakeComplete,
    SendHandshake,
    State,
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
from pqproxy.tls.key_exchange import Entropy, KeyExchanges
from pqproxy.tls.key_schedule import HandshakeSecret, finished_verify_data
from pqproxy.tls.messages import (
    Certificate,
    CertificateVerify,
    HandshakeMessage,
    read_key_update,
)
from pqproxy.tls.server_resumption import TicketOffice
from pqproxy.tls.signatures import CLIENT_CONTEXT, CertificateVerifyCheck
from pqproxy.tls.values import dataclass, replace


@dataclass(frozen=True, slots=True)
class ServerContext:
    """What does not change during a handshake."""

    config: ServerConfig
    exchanges: KeyExchanges
    entropy: Entropy


@dataclass(frozen=True, slots=True)
class ServerFinish:
    """The end of our flight, of a full handshake and of a resumption."""

    context: ServerContext
    secret: HandshakeSecret
    sending: TrafficSecret
    receiving: TrafficSecret
    negotiated: Negotiated
    gives_tickets: bool  # the client can use them

    def send(self, flight: Flight) -> State:
        """Send Finished, go on to application keys, and return who waits for the client."""
        verify_data = finished_verify_data(
            self.secret.suite, self.sending.secret, flight.transcript.hash()
        )
        flight.add(HandshakeMessage(HandshakeType.FINISHED, verify_data))
        main, finished_hash = self.secret.main_secret(), flight.transcript.hash()
        flight.do(
            UseSendSecret(
                TrafficSecret(
                    "SERVER_TRAFFIC_SECRET_0",
                    main.suite,
                    main.server_application_traffic_secret_0(finished_hash),
                )
            ),
            UseExporter(Exporter(main.suite, main.exporter_secret(finished_hash))),
        )
        application = TrafficSecret(
            "CLIENT_TRAFFIC_SECRET_0",
            main.suite,
            main.client_application_traffic_secret_0(finished_hash),
        )
        config, entropy = self.context.config, self.context.entropy
        office = TicketOffice.of(config, entropy, main, self.negotiated.group)
        wait_finished = WaitFinished(
            flight.transcript,
            self.receiving,
            application,
            self.negotiated,
            office if self.gives_tickets else None,
        )
        if self.negotiated.resumed or config.client_authentication is ClientAuthentication.NONE:
            return wait_finished
        return WaitCertificate(self.context, wait_finished)


@dataclass(frozen=True, slots=True)
class WaitServerSignature(WaitSignature):
    """NEGOTIATED: our CertificateVerify is being signed."""

    finish: ServerFinish
    transcript: Transcript
    scheme: int

    def on_signature(self, signature: bytes) -> Step:
        """Send CertificateVerify and what ends our flight."""
        flight = Flight(self.transcript)
        flight.add(CertificateVerify(self.scheme, signature).message())
        return Step(self.finish.send(flight), tuple(flight.actions))


@dataclass(frozen=True, slots=True)
class WaitCertificate:
    """WAIT_CERT: the client shows a chain, or an empty one."""

    context: ServerContext
    wait_finished: WaitFinished
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.CERTIFICATE})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Take the chain."""
        chain = Certificate.read(message.body).chain
        wait_finished = self.wait_finished.after(message)
        if chain:
            return Step(WaitCertificateVerify(self.context, wait_finished, chain))
        config, protocol = self.context.config, wait_finished.negotiated.alpn_protocol
        if config.demands_certificate(protocol):
            raise _no_certificate(config, protocol)
        return Step(wait_finished)


def _no_certificate(config: ServerConfig, protocol: bytes | None) -> FatalAlert:
    reason = "the client has no certificate"
    if config.client_authentication is ClientAuthentication.REQUEST and protocol is not None:
        reason += f", without which there is no {protocol.decode('ascii', 'backslashreplace')}"
    if len(config.signature_schemes) < len(config.schemes.handshake_schemes()):
        reason += f" that signs with {config.schemes.names(config.signature_schemes)}"
    return FatalAlert(AlertDescription.CERTIFICATE_REQUIRED, reason)


@dataclass(frozen=True, slots=True)
class WaitCertificateVerify:
    """WAIT_CV: the client proves that it holds the key of its certificate."""

    context: ServerContext
    wait_finished: WaitFinished
    chain: tuple[bytes, ...]
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.CERTIFICATE_VERIFY})

    def on_message(self, message: HandshakeMessage) -> Step:
        """Check the proof; only then is the chain worth judging."""
        verify = CertificateVerify.read(message.body)
        config = self.context.config
        row = CertificateVerifyCheck(
            provider=config.provider,
            accepted=config.signature_schemes,
            context=CLIENT_CONTEXT,
            transcript_hash=self.wait_finished.transcript.hash(),
            leaf=self.chain[0],
            schemes=config.schemes,
        ).verify(verify.algorithm, verify.signature)
        negotiated = replace(
            self.wait_finished.negotiated,
            peer_signature_scheme=verify.algorithm,
            peer_chain=self.chain,
        )
        wait_verdict = WaitClientVerdict(
            self.context, self.wait_finished.after(message, negotiated), row.key_algorithm
        )
        return Step(wait_verdict, (VerifyChain(self.chain, row.key_algorithm),))


@dataclass(frozen=True, slots=True)
class WaitClientVerdict(WaitVerdict):
    """The client's chain is being judged."""

    context: ServerContext
    wait_finished: WaitFinished
    key_algorithm: str  # of the key that made its CertificateVerify

    def on_verdict(self, verdict: Verdict) -> Step:
        """Go on, or refuse with the alert that was decided on."""
        if verdict.alert is not None:
            raise FatalAlert(verdict.alert, verdict.reason)
        tickets = self.context.config.tickets
        if tickets is None:
            return Step(self.wait_finished)
        negotiated = self.wait_finished.negotiated
        proof = verdict.authentication(negotiated.peer_chain, tickets.clock(), self.key_algorithm)
        negotiated = replace(negotiated, authentication=proof)
        return Step(replace(self.wait_finished, negotiated=negotiated))


@dataclass(frozen=True, slots=True)
class WaitFinished:
    """WAIT_FINISHED: the client proves that it saw the handshake we saw."""

    transcript: Transcript
    receiving: TrafficSecret
    application: TrafficSecret
    negotiated: Negotiated
    office: TicketOffice | None = None
    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.FINISHED})

    def after(
        self, message: HandshakeMessage, negotiated: Negotiated | None = None
    ) -> WaitFinished:
        """The same, with one message more in the transcript, and perhaps with what it told."""
        told = negotiated or self.negotiated
        return replace(self, transcript=self.transcript.plus(message), negotiated=told)

    def on_message(self, message: HandshakeMessage) -> Step:
        """Check it; from here on, application data, and tickets before ours."""
        check_finished(message, self.receiving, self.transcript.hash(), "client")
        tickets: tuple[SendHandshake, ...] = ()
        if self.office is not None:
            tickets = self.office.give(self.transcript.plus(message), self.negotiated)
        return Step(
            ServerConnected(),
            (UseReceiveSecret(self.application), HandshakeComplete(self.negotiated), *tickets),
        )


@dataclass(frozen=True, slots=True)
class ServerConnected:
    """CONNECTED."""

    expects: ClassVar[frozenset[HandshakeType]] = frozenset({HandshakeType.KEY_UPDATE})

    def on_message(self, message: HandshakeMessage) -> Step:
        """A client may update its key; it may not send anything else (no §4.7.2 was offered)."""
        return Step(self, (UpdateReceiveSecret(read_key_update(message.body)),))
