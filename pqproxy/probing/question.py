"""One hello, one answer: what a server says first to a hello that is never completed."""

import asyncio
from dataclasses import dataclass, replace

from pqproxy.config.values import Address
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.wire import TooMuch, Wire, connect, words
from pqproxy.tls import AlertDescription, FatalAlert, alert_name
from pqproxy.tls.alerts import AlertLevel
from pqproxy.tls.codec import Reader
from pqproxy.tls.codepoints import TLS_1_3, ContentType, ExtensionType, HandshakeType
from pqproxy.tls.extensions import read_server_share, read_single_uint16
from pqproxy.tls.messages import (
    MAX_CERTIFICATES,
    HandshakeMessage,
    MessageReader,
    ServerHello,
)
from pqproxy.tls.record import HEADER_LENGTH
from pqproxy.tls.record_reader import RecordReader

_FIRST_BYTES = 256


@dataclass(frozen=True, slots=True)
class Answer:
    """What came. `outcome` is COMPLETED where it was a ServerHello."""

    outcome: Outcome
    reason: str = ""
    version: int | None = None  # that the ServerHello chose
    asked_again: bool = False  # it is a HelloRetryRequest
    group: int | None = None  # that it names
    alert: int | None = None
    chain: tuple[bytes, ...] = ()  # DER, leaf first; before TLS 1.3 it comes in the clear
    first_bytes: bytes = b""


async def ask(address: Address, hello: bytes, patience: float) -> Answer:
    """Send a hello and read the first answer; `patience` is in seconds, for all of it.

    Raises Unreachable.
    """
    deadline = asyncio.get_running_loop().time() + patience
    listener = _Listener()
    async with await connect(address, patience) as wire:
        try:
            async with asyncio.timeout_at(deadline):
                answer = await _answer(wire, hello, listener)
        except TimeoutError:
            answer = Answer(Outcome.SILENT, "nothing came within the time it had")
        except OSError as error:
            answer = Answer(Outcome.CLOSED, words(error))
        except TooMuch as error:
            answer = Answer(Outcome.FAILED, str(error))
    # Once a ServerHello came, what fails behind it changes nothing.
    return answer if listener.answer is None or answer.chain else listener.answer


async def _answer(wire: Wire, hello: bytes, listener: "_Listener") -> Answer:
    await wire.send(hello)
    first_bytes = b""
    while data := await wire.receive():
        first_bytes += data[: _FIRST_BYTES - len(first_bytes)]
        try:
            answer = listener.hear(data)
        except FatalAlert as error:
            outcome = Outcome.FAILED if listener.is_tls else Outcome.NOT_TLS
            return Answer(outcome, error.reason, first_bytes=first_bytes)
        if answer is not None:
            return answer
    return Answer(Outcome.CLOSED, "the server closed the connection without a word")


class _Listener:
    """Reads what comes up to the first message that answers, and an older server's chain."""

    def __init__(self) -> None:
        self._records, self._messages = RecordReader(), MessageReader()
        self._expected = frozenset({HandshakeType.SERVER_HELLO})
        self.answer: Answer | None = None  # while the chain is still to come

    @property
    def is_tls(self) -> bool:
        """Whether the first byte was one that a record starts with."""
        return self._records.is_tls

    def hear(self, data: bytes) -> Answer | None:
        """Take bytes; the answer, once it is whole. Raises FatalAlert."""
        self._records.lend(data, 0)
        while (record := self._records.next_record(protected=False)) is not None:
            fragment = record[HEADER_LENGTH:]
            if _is_warning(record[0], fragment):
                continue
            if record[0] != ContentType.HANDSHAKE:
                return _no_message(record[0], fragment)
            self._messages.feed(fragment)
            while message := self._messages.next_message(self._expected):
                if self.answer is not None:
                    return replace(self.answer, chain=_older_chain(message))
                answer = _read(ServerHello.read(message.body))
                if answer.version == TLS_1_3:
                    return answer
                self.answer = answer
                self._expected = frozenset({HandshakeType.CERTIFICATE})
        return None


def _is_warning(content_type: int, fragment: memoryview) -> bool:
    """Before TLS 1.3 a server may go on after an alert: that it does not know our name, say."""
    is_warning = content_type == ContentType.ALERT and fragment[:1] == bytes((AlertLevel.WARNING,))
    return is_warning and fragment[1:] != bytes((AlertDescription.CLOSE_NOTIFY,))


def _no_message(content_type: int, fragment: memoryview) -> Answer:
    if content_type == ContentType.ALERT and len(fragment) == 2:
        name = alert_name(fragment[1])
        return Answer(Outcome.REFUSED, f"peer said {name}", alert=fragment[1])
    return Answer(Outcome.FAILED, f"a record of type {content_type} came first")


def _older_chain(message: HandshakeMessage) -> tuple[bytes, ...]:
    """Read the Certificate of TLS 1.2 (RFC 5246 §7.4.2). Raises FatalAlert."""
    reader = Reader(message.body, "Certificate")
    chain = reader.vector(3, lambda entry: entry.opaque(3, at_least=1))
    reader.finish()
    return chain[:MAX_CERTIFICATES]


def _read(hello: ServerHello) -> Answer:
    version, group = hello.legacy_version, None
    if (selected := hello.extensions.get(ExtensionType.SUPPORTED_VERSIONS)) is not None:
        version = read_single_uint16(selected, "supported_versions")
    if (share := hello.extensions.get(ExtensionType.KEY_SHARE)) is not None:
        if hello.is_hello_retry_request:
            group = read_single_uint16(share, "key_share")
        else:
            group = read_server_share(share).group
    return Answer(
        Outcome.COMPLETED, version=version, asked_again=hello.is_hello_retry_request, group=group
    )
