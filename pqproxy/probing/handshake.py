"""One real handshake with somebody, and everything there is to say of how it went.

    handshake = await shake_hands(address, Approach(server_name="llm.test"), patience=5)
    if handshake.outcome is Outcome.COMPLETED: ...

The engine is the one of the data path, told what to offer. Nothing is judged here: a chain is
accepted unless the approach brings a judge, and a refusal is a result like any other.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum

from pqproxy.config.values import Address
from pqproxy.crypto import CryptoError, load_provider
from pqproxy.probing.observation import Observed, observe
from pqproxy.probing.pieces import Cut, pieces
from pqproxy.probing.wire import TooMuch, Wire, connect, words
from pqproxy.tls import (
    CHAIN_SCHEMES,
    CIPHER_SUITES,
    CLASSICAL_GROUPS,
    HANDSHAKE_SCHEMES,
    HYBRID_GROUPS,
    SCHEMES,
    ApplicationData,
    ChainReceived,
    CipherSuite,
    ClientConfig,
    ClientConnection,
    Credential,
    Event,
    Failed,
    HandshakeCompleted,
    NamedGroup,
    Negotiated,
    PeerClosed,
    SchemeTable,
    SignatureRequested,
    Truncated,
    Verdict,
)
from pqproxy.tls.codepoints import HandshakeType
from pqproxy.tls.messages import HandshakeMessage

Judge = Callable[[tuple[bytes, ...]], Verdict]

PATIENCE = 5.0  # seconds for all of one connection
LINGER = 1.0  # seconds in which a server that refuses our certificate says so
_BETWEEN_TICKETS = 0.1
_BETWEEN_SEGMENTS = 0.03  # so that the server reads each by itself
_FIRST_BYTES = 256  # enough to name a protocol by


class Outcome(StrEnum):
    """How a handshake ended."""

    COMPLETED = "completed"
    REFUSED = "refused"  # they sent an alert
    FAILED = "failed"  # we could not go on: what they said is no TLS 1.3 that we speak
    NOT_TLS = "not-tls"
    CLOSED = "closed"  # they left without a word
    SILENT = "silent"  # nothing, or nothing more, within our patience


class Afterwards(StrEnum):
    """The first thing that a server said after the handshake, which for it ends later."""

    NOT_AWAITED = "not-awaited"
    QUIET = "quiet"
    TICKET = "ticket"
    DATA = "data"
    ALERT = "alert"  # it refuses us after all: no certificate, or the wrong one
    CLOSED = "closed"


def accept_every_chain(_chain: tuple[bytes, ...]) -> Verdict:
    """Look, and judge nothing."""
    return Verdict.accept()


@dataclass(frozen=True, slots=True)
class Approach:
    """What we offer, and how. The default is what an egress with `policy: prefer` offers."""

    server_name: str | None = None  # a DNS name, or None to ask for none
    groups: tuple[int, ...] = HYBRID_GROUPS + CLASSICAL_GROUPS
    key_shares: tuple[int, ...] = (NamedGroup.X25519MLKEM768, NamedGroup.x25519)
    alpn_protocols: tuple[bytes, ...] = ()
    signature_schemes: tuple[int, ...] = HANDSHAKE_SCHEMES  # more: only to see what is there
    chain_signature_schemes: tuple[int, ...] = CHAIN_SCHEMES
    schemes: SchemeTable = SCHEMES
    cipher_suites: tuple[CipherSuite, ...] = CIPHER_SUITES
    credentials: tuple[Credential, ...] = field(default=(), repr=False)
    judge: Judge = accept_every_chain
    cut: Cut = Cut.WHOLE
    linger: float = 0.0  # seconds to wait for what comes after the handshake

    def only(self, group: int) -> "Approach":
        """Return the same with one group, and a share for it."""
        return replace(self, groups=(group,), key_shares=(group,))


@dataclass(frozen=True, slots=True)
class Handshake:
    """How it went."""

    outcome: Outcome
    peer: str  # the address that was reached
    reason: str  # for people; empty where it completed
    alert: int | None  # the peer's, also one that came after completion
    observed: Observed  # what its messages said, as far as they came
    negotiated: Negotiated | None
    afterwards: Afterwards
    first_bytes: bytes  # of whatever came, to tell what is not TLS
    hello_size: int  # bytes on the wire
    flight_size: int  # bytes that came until the handshake was complete, or over
    connect_seconds: float
    handshake_seconds: float | None  # from our hello to our Finished; None: not completed

    @property
    def served(self) -> bool:
        """Whether the handshake completed, and nothing was taken back after it."""
        refused = self.afterwards in (Afterwards.ALERT, Afterwards.CLOSED)
        return self.outcome is Outcome.COMPLETED and not refused


async def shake_hands(
    address: Address, approach: Approach, patience: float = PATIENCE
) -> Handshake:
    """Connect, shake hands, leave. `patience` is in seconds, for all of it.

    Raises Unreachable; whatever the peer does once it was reached is a result.
    """
    deadline = asyncio.get_running_loop().time() + patience
    async with await connect(address, patience) as wire:
        conversation = _Conversation(wire, approach)
        await conversation.hold(deadline)
        return conversation.result()


class _Conversation:
    """One connection, and what is known of it so far."""

    def __init__(self, wire: Wire, approach: Approach) -> None:
        config = ClientConfig(
            provider=load_provider(),
            server_name=approach.server_name,
            groups=approach.groups,
            key_shares=approach.key_shares,
            cipher_suites=approach.cipher_suites,
            credentials=approach.credentials,
            schemes=approach.schemes,
            signature_schemes=approach.signature_schemes,
            chain_signature_schemes=approach.chain_signature_schemes,
            clock=time.time,  # without one no ticket is asked for
            alpn_protocols=approach.alpn_protocols,
        )
        self._wire, self._approach = wire, approach
        self._messages: list[HandshakeMessage] = []
        self._tls = ClientConnection(config)
        self._tls.message_log = self._messages.append
        self._outcome: Outcome | None = None
        self._afterwards = Afterwards.NOT_AWAITED
        self._last: Event | None = None  # what ended the connection, or their direction of it
        self._has_data = False
        self._first_bytes = b""
        self._reason = ""
        self._hello_size = self._flight_size = 0
        self._seconds: float | None = None

    async def hold(self, deadline: float) -> None:
        """Shake hands; `deadline` is in the loop's time."""
        try:
            async with asyncio.timeout_at(deadline):
                await self._shake()
                if self._outcome is Outcome.COMPLETED:
                    await self._listen()
                    await self._leave()
        except TimeoutError:
            waited = "nothing came" if not self._first_bytes else "nothing more came"
            self._end(Outcome.SILENT, f"{waited} within the time it had")
        except OSError as error:
            self._end(Outcome.CLOSED, words(error))
        except TooMuch as error:
            self._end(Outcome.FAILED, str(error))

    def result(self) -> Handshake:
        """Say how it went."""
        last = self._last
        return Handshake(
            outcome=self._outcome or Outcome.CLOSED,
            peer=self._wire.peer,
            reason=self._reason,
            alert=last.alert if isinstance(last, Failed) and last.by_peer else None,
            observed=observe(self._messages),
            negotiated=self._tls.negotiated,
            afterwards=self._afterwards,
            first_bytes=self._first_bytes,
            hello_size=self._hello_size,
            flight_size=self._flight_size or self._wire.received,
            connect_seconds=self._wire.connect_seconds,
            handshake_seconds=self._seconds,
        )

    def _end(self, outcome: Outcome, reason: str) -> None:
        if self._outcome is None:  # what comes after completion does not undo it
            self._outcome, self._reason = outcome, reason

    async def _shake(self) -> None:
        hello = self._tls.take_output()
        self._hello_size = len(hello)
        begun = time.perf_counter()
        for number, piece in enumerate(pieces(hello, self._approach.cut)):
            if number:
                await asyncio.sleep(_BETWEEN_SEGMENTS)
            await self._wire.send(piece)
        while self._outcome is None:
            await self._read()
            await self._answer()
        if self._outcome is Outcome.COMPLETED:
            self._seconds = time.perf_counter() - begun

    async def _listen(self) -> None:
        """Wait for the first thing that the server says after the handshake."""
        patience = self._approach.linger
        if not patience:
            return
        self._afterwards = Afterwards.QUIET
        while self._last is None and not self._has_data:
            try:
                async with asyncio.timeout(patience):
                    await self._read()
            except TimeoutError:
                break
            if self._tickets:
                patience = _BETWEEN_TICKETS
        self._afterwards = self._what_came()

    async def _leave(self) -> None:
        self._tls.send_close_notify()
        await self._answer()

    async def _answer(self) -> None:
        if answer := self._tls.take_output():
            await self._wire.send(answer)

    async def _read(self) -> None:
        data = await self._wire.receive()
        if data:
            self._first_bytes += data[: _FIRST_BYTES - len(self._first_bytes)]
            self._tls.receive_data(data)
        else:
            self._tls.receive_eof()
        while (event := self._tls.next_event()) is not None:
            self._take(event)

    def _take(self, event: Event) -> None:
        match event:
            case ChainReceived(token, chain):
                self._tls.provide(token, self._approach.judge(chain))
            case SignatureRequested():
                self._tls.provide(event.token, _sign(event))
            case HandshakeCompleted():
                self._flight_size = self._wire.received
                self._end(Outcome.COMPLETED, "")
            case ApplicationData():
                self._has_data = True
            case Failed():
                self._last = event
                self._end(_outcome_of(event), event.reason)
            case PeerClosed() | Truncated():
                self._last = event
                self._end(Outcome.CLOSED, "the server closed the connection without a word")

    @property
    def _tickets(self) -> bool:
        return any(m.type == HandshakeType.NEW_SESSION_TICKET for m in self._messages)

    def _what_came(self) -> Afterwards:
        """The most telling thing: a refusal may follow a ticket."""
        if isinstance(self._last, Failed):
            return Afterwards.ALERT if self._last.by_peer else Afterwards.CLOSED
        if self._has_data:
            return Afterwards.DATA
        if self._tickets:
            return Afterwards.TICKET
        return Afterwards.QUIET if self._last is None else Afterwards.CLOSED


def _outcome_of(event: Failed) -> Outcome:
    if event.by_peer:
        return Outcome.REFUSED
    return Outcome.NOT_TLS if event.not_tls else Outcome.FAILED


def _sign(event: SignatureRequested) -> bytes | Exception:
    try:
        return event.sign()
    except CryptoError as error:
        return error
