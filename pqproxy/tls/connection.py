"""One TLS 1.3 connection, either role: bytes in, events and bytes out (RFC 9846).

Carries out what the handshake states ask for, and holds the only place that catches an error and
sends its alert. Knows no socket, no clock, no log and no thread; what takes long, signing and
judging a chain, is asked for by an event and answered with `provide`.

    receive_data -> Input -> state.on_message -> actions -> Output -> take_output
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import count

from pqproxy.crypto import Provider
from pqproxy.tls.alerts import AlertDescription, alert_name, decode_error, unexpected_message
from pqproxy.tls.events import (
    ApplicationData,
    ChainReceived,
    Event,
    Failed,
    HandshakeCompleted,
    Negotiated,
    Offer,
    PeerClosed,
    SignatureRequested,
    TicketReceived,
    Truncated,
    Verdict,
)
from pqproxy.tls.exporter import Exporter
from pqproxy.tls.handshake import (
    Action,
    ExpectAnswer,
    HandshakeComplete,
    LimitRecords,
    Over,
    Proceed,
    ReportOffer,
    ReportTicket,
    SendChangeCipherSpec,
    SendHandshake,
    Sign,
    SkipEarlyData,
    State,
    Step,
    TrafficSecret,
    UpdateReceiveSecret,
    UseExporter,
    UseReceiveSecret,
    UseSendSecret,
    VerifyChain,
    WaitSignature,
    WaitVerdict,
)
from pqproxy.tls.input import APPLICATION_DATA, BULK, HANDSHAKE, Input
from pqproxy.tls.messages import HandshakeMessage
from pqproxy.tls.output import Output
from pqproxy.tls.record import MAX_FRAGMENT
from pqproxy.tls.runs import Landing

CLOSURES = (AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED)  # no errors (§6.1)

KeyLog = Callable[[str], None]  # takes lines of the SSLKEYLOGFILE format (RFC 9850)
MessageLog = Callable[[HandshakeMessage], None]


class Connection:
    """What `ServerConnection` and `ClientConnection` share.

    Attributes:
        negotiated: what was agreed on, once the handshake is complete.
        offer: what the client offered, as soon as that is known (server only).
        incoming: what is received, see `Input.flowing`.
        client_random: names this connection in a key log, as soon as it is known.
        protect, protect_small, protect_run: encrypt application data, see `Output`.
        message_log: told every handshake message that comes, before it is judged; None: nobody.
    """

    __slots__ = (
        "_at_eof",
        "_awaited",
        "_events",
        "_exporter",
        "_failed",
        "_key_log",
        "_output",
        "_provider",
        "_receiving",
        "_sending",
        "_state",
        "_tokens",
        "client_random",
        "incoming",
        "message_log",
        "negotiated",
        "offer",
        "protect",
        "protect_run",
        "protect_small",
    )

    def __init__(
        self, provider: Provider, incoming: Input, outgoing: Output, key_log: KeyLog | None
    ) -> None:
        self._provider = provider
        self.incoming = incoming
        self._output = outgoing
        # Not wrapped: that would be a call more for each record.
        self.protect, self.protect_small = outgoing.protect, outgoing.protect_small
        self.protect_run = outgoing.protect_run
        self._key_log = key_log
        self.message_log: MessageLog | None = None
        self._exporter: Exporter | None = None
        self._state: State
        self._events: deque[Event] = deque()
        self._tokens = count(1)
        self._awaited: int | None = None  # the token of the answer we wait for
        self._at_eof = False
        self._receiving = True  # False after the peer's close_notify, or the end of the stream
        self._sending = True  # False after our close_notify
        self._failed = False
        self.negotiated: Negotiated | None = None
        self.offer: Offer | None = None
        self.client_random = b""

    # Input

    def receive_data(self, data: bytes | bytearray | memoryview, room: int = 0) -> None:
        """Lend the next bytes of the stream; `next_event` walks them.

        Args:
            data: decrypted where it lies if it is writable, copied otherwise.
            room: bytes at its start that are free to be overwritten. With at least `MAX_RECORD`
                of them, what is left of an incomplete record costs no copy of the rest.
        """
        if not self._failed and self._receiving:
            self.incoming.records.lend(data, room)

    def receive_eof(self) -> None:
        """Say that the stream ended."""
        self._at_eof = True

    def next_event(self) -> Event | None:
        """Return what happened next, or None: more input, or an answer, is needed first.

        When it returns None the lent buffer is free again. An `ApplicationData` is a view into
        that buffer.
        """
        while not self._events:
            if self._failed or not self._receiving or self._awaited is not None:
                self.incoming.records.keep()
                return None
            try:
                content = self.incoming.next_content()
                if content is None:
                    return self._on_stall()
                content_type, fragment = content
                if content_type == APPLICATION_DATA:
                    return ApplicationData(fragment)
                if content_type == HANDSHAKE:
                    self._on_handshake(fragment)
                else:
                    self._on_alert(fragment)
            except Exception as error:
                self._fail(error)
        return self._events.popleft()

    def receive(
        self, landing: Landing, start: int, end: int, data: list[bytes | memoryview]
    ) -> Event | None:
        """`receive_data` and the first `next_event` in one, for all that a read brought.

        Application data is appended to `data` and makes no event of its own, up to whatever else
        came; what comes behind that is left to `next_event`.

        Args:
            landing: decrypted where it lies; what is before `start` is free, see `receive_data`.
            start: where what was read begins.
            end: where it ends.
            data: gets views into the lent buffer.
        """
        try:
            flowing = self.incoming.flowing
            if flowing is not None and end - start < BULK:  # nearly always
                stop = flowing.unprotect_data(landing.view, start, end, data)
                if stop is None:
                    return None
                self.incoming.stopped(landing.view, stop, end)
            elif self.incoming.take_data(landing, start, end, data):
                return None
        except Exception as error:
            self._fail(error)
        return self.next_event()

    def hold(self) -> None:
        """Stop walking: what was not looked at is copied out, and the lent buffer is free again.

        The next call of `next_event` goes on with it.
        """
        self.incoming.records.keep()

    @property
    def held(self) -> int:
        """Bytes received and not yet looked at."""
        return self.incoming.records.held

    def provide(self, token: int, result: bytes | Verdict | Exception) -> None:
        """Answer a `SignatureRequested` or a `ChainReceived`; late answers are ignored.

        Args:
            token: from the event.
            result: a signature, a `Verdict`, or the exception that prevented it.
        """
        if self._failed or token != self._awaited:
            return
        self._awaited = None
        try:
            self._go_on(result)
        except Exception as error:
            self._fail(error)

    # Output

    @property
    def max_fragment(self) -> int:
        """How many bytes one record may carry to this peer."""
        return self._output.max_fragment

    def take_output(self) -> bytes:
        """What must be sent now: handshake messages, alerts, and data of `send_data`."""
        return self._output.take()

    def send_data(self, data: bytes) -> None:
        """Queue application data: `protect` for those who do not mind a copy."""
        self._output.send_data(data)

    def send_close_notify(self) -> None:
        """End our direction; the peer's goes on (§6.1)."""
        if not self._failed and self._sending:
            self._sending = False
            self._output.close_to_data()
            self._output.send_alert(AlertDescription.CLOSE_NOTIFY)

    def abort(self, description: AlertDescription) -> None:
        """End both directions with an error alert; no event follows."""
        if not self._failed:
            self._die(description)

    def export_keying_material(self, label: bytes, context: bytes, length: int) -> bytes:
        """Keys for others, the same at both ends (§7.5). RuntimeError: there are none."""
        if self._exporter is None or not self.handshake_complete:
            raise RuntimeError("only a complete handshake has keys to export")
        return self._exporter.export(label, context, length)

    @property
    def handshake_complete(self) -> bool:
        """Whether application data may flow."""
        return self.negotiated is not None

    @property
    def closed(self) -> bool:
        """Whether nothing more can be sent or received."""
        return self._failed or not (self._receiving or self._sending)

    # The one place that turns errors into alerts

    def _fail(self, error: Exception) -> None:
        """End the connection, whatever went wrong; from here on every call is inert."""
        records = self.incoming.records
        failed = Failed.by_us(error, not_tls=not records.is_tls, plaintext=records.is_text)
        self._die(AlertDescription(failed.alert))
        self._events.append(failed)

    def _die(self, description: AlertDescription | None) -> None:
        if description is None:
            self._output.take()  # after the peer's alert it is told nothing more (§6)
        elif self._sending:
            self._output.send_alert(description)
        self._failed = True
        self._events.clear()
        # The keys of a connection that failed are forgotten (§6), though its owner may keep it.
        self._state, self._exporter = Over(), None
        self.incoming.forget()
        self._output.forget()

    # Records, alerts and handshake messages

    def _on_stall(self) -> Event | None:
        if not self._at_eof:
            return None
        self._receiving = False
        return Truncated()

    def _on_alert(self, fragment: memoryview) -> None:
        """Every alert but two ends the connection, whatever level it claims (§6)."""
        if len(fragment) != 2:
            raise decode_error(f"alert of {len(fragment)} bytes")
        description = fragment[1]
        if description in CLOSURES and not self.incoming.messages.is_empty:
            raise unexpected_message("closure alert within a handshake message")  # §5.1
        if description == AlertDescription.USER_CANCELED:
            self.incoming.floods.warning()  # close_notify follows (§6.1)
            return
        if description == AlertDescription.CLOSE_NOTIFY and self.handshake_complete:
            self._receiving = False
            self.incoming.forget()
            self._events.append(PeerClosed())
            return
        authenticated = self.incoming.is_protected
        reason = f"peer said {alert_name(description)}"
        if not authenticated:
            reason += " (unauthenticated)"
        self._die(None)
        self._events.append(Failed(description, reason, by_peer=True, authenticated=authenticated))

    def _on_handshake(self, fragment: memoryview) -> None:
        messages = self.incoming.messages
        messages.feed(fragment)
        while self._awaited is None:
            if (message := messages.next_message(self._state.expects)) is None:
                return
            self.incoming.hello_seen = True
            if self.message_log is not None:
                self.message_log(message)
            if self.negotiated is not None:
                self.incoming.floods.post_handshake_message()
            self._carry_out(self._state.on_message(message))

    def _go_on(self, result: bytes | Verdict | Exception) -> None:
        match self._state, result:
            case WaitSignature() as state, bytes(signature):
                self._carry_out(state.on_signature(signature))
            case WaitVerdict() as state, Verdict() as verdict:
                self._carry_out(state.on_verdict(verdict))
            case _, Exception() as error:
                raise error
            case state, _:
                raise TypeError(f"{type(state).__name__} wants another kind of answer")
        self._on_handshake(memoryview(b""))  # what was read meanwhile, and not yet parsed

    # Actions

    def _carry_out(self, step: Step) -> None:
        """Go to the step's state, doing what it says in its order."""
        self._state = step.next_state
        for action in step.actions:
            if type(action) is SendHandshake:  # most are
                self._output.send_handshake(action.message)
            else:
                self._do(action)

    def _do(self, action: Action) -> None:
        match action:  # those that come more often come first
            case UseSendSecret(secret):
                self._log(secret)
                self._output.use_secret(secret.suite, secret.secret)
            case UseReceiveSecret(secret):
                self._log(secret)
                self.incoming.use_secret(secret.suite, secret.secret)
            case Proceed(state):
                self._carry_out(state.proceed())
            case ReportOffer(offer):
                self.offer, self.client_random = offer, offer.client_random
            case Sign() | VerifyChain():
                self._ask(action)
            case UseExporter(exporter):
                self._exporter = exporter
            case HandshakeComplete(negotiated):
                self.negotiated, self.incoming.handshake_complete = negotiated, True
                self._output.open_to_data()
                self._events.append(HandshakeCompleted(negotiated))
            case SendChangeCipherSpec():
                self._output.send_change_cipher_spec()
            case LimitRecords(max_fragment):
                self._output.limit(min(max_fragment, MAX_FRAGMENT))
            case ReportTicket(ticket):
                self._events.append(TicketReceived(ticket))
            case UpdateReceiveSecret(update_requested):
                self.incoming.update_secret()
                if update_requested:
                    self._output.owe_key_update()
            case SkipEarlyData(skip):
                self.incoming.skips_early_data = skip
            case ExpectAnswer():
                self.incoming.expect_boundary()

    def _ask(self, action: Sign | VerifyChain) -> None:
        self._awaited = token = next(self._tokens)
        if isinstance(action, VerifyChain):
            self._events.append(ChainReceived(token, action.chain, action.key_algorithm))
            return
        algorithm = self._provider.signatures[action.algorithm]
        self._events.append(SignatureRequested(token, action.credential, algorithm, action.content))

    def _log(self, secret: TrafficSecret) -> None:
        if self._key_log is not None:
            value = secret.secret.expose().hex()
            self._key_log(f"{secret.label} {self.client_random.hex()} {value}")
