"""One hello, one answer: what a server says first to a hello that is never completed."""

import asyncio
from dataclasses import dataclass

from pqproxy.config.values import Address
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.wire import TooMuch, Wire, connect, words
from pqproxy.tls import FatalAlert, alert_name
from pqproxy.tls.codepoints import ContentType, ExtensionType, HandshakeType
from pqproxy.tls.extensions import read_server_share, read_single_uint16
from pqproxy.tls.messages import MessageReader, ServerHello
from pqproxy.tls.record import HEADER_LENGTH, RecordReader

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
    first_bytes: bytes = b""


async def ask(address: Address, hello: bytes, patience: float) -> Answer:
    """Send a hello and read the first answer; `patience` is in seconds, for all of it.

    Raises Unreachable.
    """
    deadline = asyncio.get_running_loop().time() + patience
    async with await connect(address, patience) as wire:
        try:
            async with asyncio.timeout_at(deadline):
                return await _answer(wire, hello)
        except TimeoutError:
            return Answer(Outcome.SILENT, "nothing came within the time it had")
        except OSError as error:
            return Answer(Outcome.CLOSED, words(error))
        except TooMuch as error:
            return Answer(Outcome.FAILED, str(error))


async def _answer(wire: Wire, hello: bytes) -> Answer:
    await wire.send(hello)
    records, messages, first_bytes = RecordReader(), MessageReader(), b""
    while data := await wire.receive():
        first_bytes += data[: _FIRST_BYTES - len(first_bytes)]
        records.lend(data, 0)
        try:
            answer = _walk(records, messages)
        except FatalAlert as error:
            outcome = Outcome.FAILED if records.is_tls else Outcome.NOT_TLS
            return Answer(outcome, error.reason, first_bytes=first_bytes)
        if answer is not None:
            return answer
    return Answer(Outcome.CLOSED, "the server closed the connection without a word")


def _walk(records: RecordReader, messages: MessageReader) -> Answer | None:
    """Read records up to the first that answers. Raises FatalAlert."""
    while (record := records.next_record(protected=False)) is not None:
        fragment = record[HEADER_LENGTH:]
        if record[0] == ContentType.ALERT and len(fragment) == 2:
            name = alert_name(fragment[1])
            return Answer(Outcome.REFUSED, f"peer said {name}", alert=fragment[1])
        if record[0] != ContentType.HANDSHAKE:
            return Answer(Outcome.FAILED, f"a record of type {record[0]} came first")
        messages.feed(fragment)
        if message := messages.next_message(frozenset({HandshakeType.SERVER_HELLO})):
            return _read(ServerHello.read(message.body))
    return None


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
