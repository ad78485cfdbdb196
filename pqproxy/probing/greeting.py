"""What a caller says first: a ClientHello, or something that is none.

Sans-IO: bytes in, one `Greeting` out. Nothing here is believed further than its shape goes.
"""

from dataclasses import dataclass

from pqproxy.probing.naming import POST_QUANTUM, is_grease, version_name
from pqproxy.probing.strangers import UNKNOWN, caller_protocol
from pqproxy.tls import FatalAlert, Offer
from pqproxy.tls.codepoints import TLS_1_3, ContentType, HandshakeType
from pqproxy.tls.messages import ClientHello, MessageReader
from pqproxy.tls.negotiation import read_offer
from pqproxy.tls.record import HEADER_LENGTH
from pqproxy.tls.record_reader import RecordReader

BROKEN, SILENT = "broken TLS", "nothing"
_ENOUGH_TO_NAME = 16  # bytes
_FIRST_BYTES = 256


@dataclass(frozen=True, slots=True)
class Hello:
    """A ClientHello, and how it came."""

    message: ClientHello
    offer: Offer
    record_version: int
    size: int  # bytes of the message
    records: int
    reads: int  # in how many pieces it arrived

    @property
    def best_version(self) -> int:
        """The newest version that is offered."""
        known = [version for version in self.offer.supported_versions if not is_grease(version)]
        return max(known, default=self.message.legacy_version)

    @property
    def has_grease(self) -> bool:
        """Whether values that mean nothing stand in it (RFC 8701)."""
        points = (*self.message.cipher_suites, *self.message.extensions)
        return any(map(is_grease, (*points, *self.offer.supported_groups)))

    @property
    def is_post_quantum(self) -> bool:
        """Whether a server can agree with it on a post-quantum group."""
        offered = POST_QUANTUM.intersection(self.offer.supported_groups)
        return self.best_version >= TLS_1_3 and bool(offered)


@dataclass(frozen=True, slots=True)
class Greeting:
    """What came first. `hello` is None where it was no ClientHello, and `reason` says why not."""

    protocol: str
    hello: Hello | None = None
    reason: str = ""

    @property
    def is_post_quantum(self) -> bool:
        """Whether this client is ready."""
        return self.hello is not None and self.hello.is_post_quantum


class GreetingReader:
    """Reads it, however it is cut."""

    def __init__(self) -> None:
        self._records, self._messages = RecordReader(), MessageReader()
        self._first_bytes = b""
        self._count = self._reads = 0
        self._greeting: Greeting | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing more is needed."""
        return self._greeting is not None

    def feed(self, data: bytes) -> None:
        """Take what one read brought."""
        self._first_bytes += data[: _FIRST_BYTES - len(self._first_bytes)]
        self._reads += 1
        if self._first_bytes[:1] != bytes((ContentType.HANDSHAKE,)):
            said = self._first_bytes
            if len(said) >= _ENOUGH_TO_NAME or b"\n" in said:
                self._greeting = self._stranger()
            return
        self._records.lend(data, 0)
        try:
            self._walk()
        except FatalAlert as error:
            self._greeting = Greeting(BROKEN, reason=error.reason)

    def greeting(self) -> Greeting:
        """Return what it was, as far as it came."""
        if self._greeting is not None:
            return self._greeting
        if not self._first_bytes:
            return Greeting(SILENT, reason="it said nothing")
        if self._first_bytes[0] != ContentType.HANDSHAKE:
            return self._stranger()
        return Greeting(BROKEN, reason="the ClientHello never ended")

    def _stranger(self) -> Greeting:
        if self._first_bytes[0] in frozenset(ContentType):
            return Greeting(BROKEN, reason="it begins with another record than a handshake's")
        protocol = caller_protocol(self._first_bytes)
        said = f"it begins with {self._first_bytes[:12]!r}" if protocol == UNKNOWN else ""
        return Greeting(protocol, reason=said)

    def _walk(self) -> None:
        while (record := self._records.next_record(protected=False)) is not None:
            self._count += 1
            if record[0] != ContentType.HANDSHAKE:
                self._greeting = Greeting(BROKEN, reason="its ClientHello is cut short")
                return
            self._messages.feed(record[HEADER_LENGTH:])
            message = self._messages.next_message(frozenset({HandshakeType.CLIENT_HELLO}))
            if message is not None:
                hello = ClientHello.read(message.body)
                found = Hello(
                    message=hello,
                    offer=read_offer(hello),
                    record_version=int.from_bytes(self._first_bytes[1:3], "big"),
                    size=len(message.body) + 4,
                    records=self._count,
                    reads=self._reads,
                )
                self._greeting = Greeting(version_name(found.best_version), found)
                return
