"""What client and server handshakes are made of: states, steps, actions (RFC 9846 §A).

A state is a frozen value that says which messages it expects. Given one, it returns a `Step`:
the next state and ordered actions. Nothing happens inside a state, so a handshake can be tested
as a play: messages in, actions out. `connection.py` carries the actions out.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import field
from typing import TYPE_CHECKING, ClassVar, Protocol

from pqproxy.tls.alerts import AlertDescription, FatalAlert, decode_error
from pqproxy.tls.codepoints import HandshakeType
from pqproxy.tls.events import Offer, Verdict
from pqproxy.tls.exporter import Exporter
from pqproxy.tls.key_schedule import SuiteParameters, finished_verify_data
from pqproxy.tls.messages import HandshakeMessage
from pqproxy.tls.secrets import Secret
from pqproxy.tls.values import dataclass

if TYPE_CHECKING:
    from pqproxy.tls.config import Credential
    from pqproxy.tls.events import Negotiated
    from pqproxy.tls.session import SessionTicket


class Transcript:
    """The Transcript-Hash (§4.1), as a value: adding a message gives a new one."""

    __slots__ = ("_hash", "suite")

    def __init__(self, suite: SuiteParameters, running: hashlib._Hash | None = None) -> None:
        self.suite = suite
        self._hash = running or hashlib.new(suite.hash_name)

    def plus(self, message: HandshakeMessage) -> Transcript:
        """This transcript and one message more."""
        running = self._hash.copy()
        running.update(message.encode())
        return Transcript(self.suite, running)

    def replaced_by_hash(self) -> Transcript:
        """ClientHello1 as message_hash, which is how it counts after a HelloRetryRequest."""
        stand_in = HandshakeMessage(HandshakeType.MESSAGE_HASH, self.hash())
        return Transcript(self.suite).plus(stand_in)

    def hash(self) -> bytes:
        """The hash of all messages so far."""
        return self._hash.digest()

    def hash_with(self, truncated: bytes) -> bytes:
        """The hash of all messages so far and the beginning of another (§4.3.11.2)."""
        running = self._hash.copy()
        running.update(truncated)
        return running.digest()


@dataclass(frozen=True, slots=True)
class TrafficSecret:
    """A traffic secret, the suite it is for, and its name in a key log."""

    label: str
    suite: SuiteParameters
    secret: Secret


@dataclass(frozen=True, slots=True)
class SendHandshake:
    """Send one handshake message under the current keys."""

    message: HandshakeMessage


@dataclass(frozen=True, slots=True)
class SendChangeCipherSpec:
    """Send the compatibility record of §E.4."""


@dataclass(frozen=True, slots=True)
class UseSendSecret:
    """Protect what is sent from here on."""

    traffic_secret: TrafficSecret


@dataclass(frozen=True, slots=True)
class UseReceiveSecret:
    """Expect what is received from here on to be protected."""

    traffic_secret: TrafficSecret


@dataclass(frozen=True, slots=True)
class LimitRecords:
    """The peer asked for records of at most so much content (RFC 8449)."""

    max_fragment: int


@dataclass(frozen=True, slots=True)
class SkipEarlyData:
    """Pass over early data, which is never accepted, within bounds (§4.3.10).

    After a HelloRetryRequest it is told by its record type; behind a ServerHello by what does
    not decrypt.
    """

    skip: bool


@dataclass(frozen=True, slots=True)
class ExpectAnswer:
    """The peer has nothing to say before it saw what we just sent: refuse what it said already."""


@dataclass(frozen=True, slots=True)
class ReportOffer:
    """Tell the operator what the client offered, whatever becomes of it."""

    offer: Offer


@dataclass(frozen=True, slots=True)
class Proceed:
    """Go on at once with `proceed` of the next state.

    It splits a step in two: what the first half did stands, even if the second half refuses.
    """

    state: Proceeding


@dataclass(frozen=True, slots=True)
class Sign:
    """Have `content` signed; the state waits for `on_signature`."""

    credential: Credential
    algorithm: str  # the name in crypto.Provider.signatures
    content: bytes


@dataclass(frozen=True, slots=True)
class VerifyChain:
    """Have the peer's chain judged; the state waits for `on_verdict`."""

    chain: tuple[bytes, ...]
    key_algorithm: str  # of the key that made its CertificateVerify


@dataclass(frozen=True, slots=True)
class UpdateReceiveSecret:
    """The peer sent KeyUpdate: go on to its next key, and owe it one if it asked."""

    update_requested: bool


@dataclass(frozen=True, slots=True)
class UseExporter:
    """Derive keys for others from this secret, once the handshake is complete."""

    exporter: Exporter


@dataclass(frozen=True, slots=True)
class ReportTicket:
    """Give the owner a ticket: it may keep it for a connection to come."""

    ticket: SessionTicket


@dataclass(frozen=True, slots=True)
class HandshakeComplete:
    """Application data may flow."""

    negotiated: Negotiated


Action = (
    SendHandshake
    | SendChangeCipherSpec
    | UseSendSecret
    | UseReceiveSecret
    | LimitRecords
    | SkipEarlyData
    | ExpectAnswer
    | ReportOffer
    | Proceed
    | Sign
    | VerifyChain
    | UpdateReceiveSecret
    | UseExporter
    | ReportTicket
    | HandshakeComplete
)


class State(Protocol):
    """Where a handshake stands."""

    @property
    def expects(self) -> frozenset[HandshakeType]:
        """The messages that may come now."""

    def on_message(self, message: HandshakeMessage) -> Step:
        """Take one of them.

        Raises:
            FatalAlert: it is refused.
        """


@dataclass(frozen=True, slots=True)
class Step:
    """Where to go, and what to do on the way, in this order."""

    next_state: State
    actions: tuple[Action, ...] = ()


class _NoMessages:
    """What the waiting states share: input is kept, unparsed, until the answer is there."""

    expects: ClassVar[frozenset[HandshakeType]] = frozenset()

    def on_message(self, message: HandshakeMessage) -> Step:
        """Never called: the connection reads nothing while it waits."""
        raise AssertionError(f"handshake type {message.type} was read while waiting")


class Over(_NoMessages):
    """The connection failed; nothing that was secret is left."""


class Proceeding(_NoMessages):
    """A state that is left at once: `Proceed` carries it along."""

    def proceed(self) -> Step:
        """Go on."""
        raise NotImplementedError


class WaitSignature(_NoMessages):
    """Waits for a signature; subclasses go on from it."""

    def on_signature(self, signature: bytes) -> Step:
        """Go on with the signature."""
        raise NotImplementedError


class WaitVerdict(_NoMessages):
    """Waits for the judgement of a chain; subclasses go on from it."""

    def on_verdict(self, verdict: Verdict) -> Step:
        """Go on with the verdict."""
        raise NotImplementedError


@dataclass(slots=True)
class Flight:
    """Messages that leave together: the only way to send a handshake message.

    Each is encoded, added to the transcript, and queued, in one call; so what is hashed is
    what is sent.
    """

    transcript: Transcript
    actions: list[Action] = field(default_factory=list)

    def add(self, message: HandshakeMessage) -> None:
        """Send one message."""
        self.transcript = self.transcript.plus(message)
        self.actions.append(SendHandshake(message))

    def do(self, *actions: Action) -> None:
        """Do something between two messages."""
        self.actions.extend(actions)


def check_finished(
    message: HandshakeMessage, base_key: TrafficSecret, transcript_hash: bytes, sender: str
) -> None:
    """Verify a Finished (§4.5.3): its sender saw the handshake that we saw."""
    expected = finished_verify_data(base_key.suite, base_key.secret, transcript_hash)
    if len(message.body) != len(expected):
        raise decode_error("Finished has the wrong length")
    if not hmac.compare_digest(message.body, expected):
        raise FatalAlert(AlertDescription.DECRYPT_ERROR, f"{sender} Finished does not verify")
