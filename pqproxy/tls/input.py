"""What a connection receives: records cut, unprotected and judged (RFC 9846 §5).

The receiving half: it knows which keys are on and which kinds of record may come, and hands up
contents that mean something. What is dropped (compatibility records, early data) is dropped
here, and counted.
"""

from __future__ import annotations

from pqproxy.tls.alerts import AlertDescription, FatalAlert, alert_name, unexpected_message
from pqproxy.tls.codepoints import ContentType
from pqproxy.tls.floods import Floods
from pqproxy.tls.key_schedule import SuiteParameters
from pqproxy.tls.messages import MessageReader
from pqproxy.tls.record import HEADER_LENGTH, Content, ReceiveProtection
from pqproxy.tls.record_reader import RecordReader
from pqproxy.tls.runs import Landing
from pqproxy.tls.secrets import Secret

# Plain ints: comparing enum members costs as much as decrypting a small record.
APPLICATION_DATA = int(ContentType.APPLICATION_DATA)
ALERT = int(ContentType.ALERT)
HANDSHAKE = int(ContentType.HANDSHAKE)
CHANGE_CIPHER_SPEC = int(ContentType.CHANGE_CIPHER_SPEC)

# From so many bytes on it is worth the while to look for a run of records.
BULK = 65_536


class Input:
    """The receiving half of a connection.

    Attributes:
        flowing: set while nothing but whole records of data is expected, and nothing is counted:
            what is read may go straight to its `unprotect_small`, or to its `unprotect_data` if
            it is less than `BULK`.
        records: where bytes are lent.
        messages: where handshake messages are put together.
        hello_seen: a ClientHello was sent or received, so compatibility records may come.
        handshake_complete: application data may come, compatibility records may not.
        skips_early_data: the client offered early data, and its first flight may still come.
    """

    __slots__ = (
        "_between_messages",
        "_forgotten",
        "_protection",
        "_waiting",
        "floods",
        "flowing",
        "handshake_complete",
        "hello_seen",
        "messages",
        "records",
        "skips_early_data",
    )

    def __init__(self, *, hello_seen: bool) -> None:
        self.records = RecordReader()
        self.messages = MessageReader()
        self.floods = Floods()
        self._protection: ReceiveProtection | None = None
        self.hello_seen = hello_seen
        self.handshake_complete = False
        self.skips_early_data = False
        self.flowing: ReceiveProtection | None = None
        self._between_messages: ReceiveProtection | None = None  # set while data may come next
        self._waiting: Content | None = None  # what ended `take_data`
        self._forgotten = False  # nothing more will be read

    @property
    def is_protected(self) -> bool:
        """Whether keys are on."""
        return self._protection is not None

    def take_data(
        self, landing: Landing, start: int, end: int, data: list[bytes | memoryview]
    ) -> bool:
        """Take over the next bytes of the stream, and what they bring of application data at once.

        Args:
            landing: where the bytes lie; what is before `start` may be overwritten.
            start: where the bytes begin.
            end: where they end.
            data: what comes as application data is appended to it, as views.

        Returns:
            Whether that was all there is: if not, `next_content` goes on.

        Raises:
            FatalAlert: a record does not decrypt.
        """
        protection, view = self._between_messages, landing.view
        if protection is None:
            if not self._forgotten:
                self.records.lend(view[:end], start)
            return False
        if self.records.kept:
            view, start, end = self.records.join(view[:end], start)
        stop: tuple[int, Content | None] | None
        other: Content | None = None
        if start == landing.start and end - start >= BULK:
            stop = start, other = protection.unprotect_run(landing, end, data)
        if other is None:
            stop = protection.unprotect_data(view, start, end, data)
        if self.floods.counting and data:
            self.floods.data_came()
        if stop is not None:
            self.stopped(view, stop, end)
            return False
        self.flowing = None if self.floods.counting else protection
        return True

    def stopped(self, view: memoryview, stop: tuple[int, Content | None], end: int) -> None:
        """`unprotect_data` came to something else than data, or to an incomplete record."""
        start, self._waiting = stop
        self.records.lend(view[:end], start)

    def next_content(self) -> Content | None:
        """Return what the next record holds, or None when more input is needed.

        Raises:
            FatalAlert: the record may not stand here, or does not decrypt.
        """
        self.flowing = self._between_messages = None  # until all that was read has been walked
        while True:
            content, self._waiting = self._waiting, None
            if content is None:
                record = self.records.next_record(protected=self._protection is not None)
                if record is None:
                    if self.handshake_complete and self.messages.is_empty:
                        self._between_messages = self._protection
                    return None
                content = self._open(record)
            if content is not None and self._is_meaningful(*content):
                return content

    def _open(self, record: memoryview) -> Content | None:
        """What the record holds, or None when it is to be passed over."""
        protection = self._protection
        if protection is None or record[0] != APPLICATION_DATA:
            return self._plaintext(record[0], record[HEADER_LENGTH:])
        if self.skips_early_data:
            return self._unprotect_after_early_data(protection, record)
        return protection.unprotect(record)

    def use_secret(self, suite: SuiteParameters, traffic_secret: Secret) -> None:
        """Expect what comes from here on to be protected."""
        self._change(ReceiveProtection(suite, traffic_secret))

    def update_secret(self) -> None:
        """The peer sent KeyUpdate: go on to its next key (§7.2)."""
        if self._protection is not None:
            self._change(self._protection.next_generation())

    def expect_boundary(self) -> None:
        """The peer can say nothing more before it has our answer: refuse what it said already."""
        if not self.messages.is_empty:
            raise unexpected_message("handshake data follows where the peer has to wait for us")

    def forget(self) -> None:
        """Let go of keys and of everything received: nothing more will be read."""
        self._protection = self.flowing = self._between_messages = self._waiting = None
        self._forgotten = True
        self.messages = MessageReader()
        self.records.drop()

    def _change(self, protection: ReceiveProtection) -> None:
        """Turn a key on.

        Keys change on a message boundary only: what was packed behind the message that changes
        them came under the old key, and must not count under the new one (§5.1).
        """
        if not self.messages.is_empty:
            raise unexpected_message("handshake data follows in the record that changes keys")
        self._protection = protection

    def _is_meaningful(self, content_type: int, fragment: memoryview) -> bool:
        if content_type == APPLICATION_DATA:
            if not self.handshake_complete:
                raise unexpected_message("application data within the handshake")
            if not self.messages.is_empty:
                raise unexpected_message("application data within a handshake message")  # §5.1
            if not len(fragment):
                self.floods.empty_record()
                return False
            self.floods.data_came()
            return True
        if content_type not in (HANDSHAKE, ALERT):
            raise unexpected_message(f"record of inner type {content_type}")
        if not len(fragment):
            raise unexpected_message(f"empty record of type {content_type}")  # §5.1, §5.4
        return True

    def _plaintext(self, content_type: int, fragment: memoryview) -> Content | None:
        if content_type == CHANGE_CIPHER_SPEC:
            self._drop_change_cipher_spec(fragment)
            return None
        if self._protection is not None:
            raise unexpected_message(_under_keys(content_type, fragment))
        if content_type == APPLICATION_DATA:
            if not self.skips_early_data:
                raise unexpected_message("application data before any key")
            self.floods.early_data(len(fragment))
            return None
        return content_type, fragment

    def _drop_change_cipher_spec(self, fragment: memoryview) -> None:
        """Drop the compatibility record where it may stand, refuse it elsewhere (§5)."""
        if fragment.tobytes() != b"\x01":
            raise unexpected_message("change_cipher_spec is not 0x01")
        if self.handshake_complete or not self.hello_seen:
            raise unexpected_message("change_cipher_spec outside the handshake")
        if not self.messages.is_empty:
            raise unexpected_message("change_cipher_spec within a handshake message")
        self.floods.change_cipher_spec()

    def _unprotect_after_early_data(
        self, protection: ReceiveProtection, record: memoryview
    ) -> Content | None:
        """Pass over what does not decrypt, until the client's own flight does (§4.3.10)."""
        try:
            content = protection.unprotect(record)
        except FatalAlert as error:
            if error.description is not AlertDescription.BAD_RECORD_MAC:
                raise
            self.floods.early_data(len(record) - HEADER_LENGTH)
            return None
        self.skips_early_data = False
        return content


def _under_keys(content_type: int, fragment: memoryview) -> str:
    """A client that cannot follow our ServerHello still sends its alert in plaintext."""
    if content_type == ALERT and len(fragment) == 2:
        return f"peer said {alert_name(fragment[1])} (unauthenticated)"
    return f"plaintext record of type {content_type} after keys are on"
