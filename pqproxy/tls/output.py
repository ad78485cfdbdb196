"""What a connection sends: handshake messages, alerts and data, cut into records in order.

The handshake's output is queued here and taken by whoever owns the socket; application data is
encrypted in the caller's buffer and never queued. Messages of one flight share records until a
key changes (RFC 9846 §5.1).
"""

from __future__ import annotations

from pqproxy.tls.alerts import AlertDescription, AlertLevel
from pqproxy.tls.codepoints import LEGACY_VERSION, ContentType
from pqproxy.tls.key_schedule import SuiteParameters
from pqproxy.tls.messages import HandshakeMessage, key_update_message
from pqproxy.tls.padding import PADDED_BELOW, padding_length, trailer
from pqproxy.tls.record import (
    HEADROOM,
    MAX_FRAGMENT,
    TAILROOM,
    SendProtection,
    plaintext_record,
    small_records,
)
from pqproxy.tls.runs import Run
from pqproxy.tls.secrets import Secret

DATA = int(ContentType.APPLICATION_DATA)


class Output:
    """The sending half of a connection.

    Attributes:
        max_fragment: how many bytes one record may carry to this peer.
    """

    __slots__ = (
        "_flowing",
        "_handshake",
        "_initial_version",
        "_key_update_owed",
        "_padding",
        "_protection",
        "_queue",
        "_small",
        "_takes_data",
        "max_fragment",
    )

    def __init__(self, padding: int, initial_version: int) -> None:
        self._padding = padding
        self._initial_version = initial_version  # of the first record: 0x0301 suits old middleboxes
        self._protection: SendProtection | None = None
        self._handshake: list[bytes] = []  # messages that wait to share a record
        self._queue: list[bytes | memoryview] = []
        self._key_update_owed = False  # the peer asked for one: it goes out before the next data
        self._takes_data: bool | None = None  # None before the handshake is complete
        self._flowing: SendProtection | None = None  # set while nothing but data is due
        self.limit(MAX_FRAGMENT)

    def limit(self, max_fragment: int) -> None:
        """Send no longer fragments (RFC 8449)."""
        self.max_fragment = max_fragment
        has_room = max_fragment >= PADDED_BELOW + self._padding
        self._small = small_records(self._padding) if has_room else ()

    def open_to_data(self) -> None:
        """The handshake is complete, and our direction may have ended before it was."""
        if self._takes_data is None:
            self._takes_data = True

    def close_to_data(self) -> None:
        """Our direction has ended: what is given to `protect` from now on goes nowhere."""
        self._takes_data = False
        self._flowing = None

    def owe_key_update(self) -> None:
        """Send a KeyUpdate before the next data, for all that the peer asked for meanwhile."""
        self._key_update_owed = True
        self._flowing = None

    def send_handshake(self, message: HandshakeMessage) -> None:
        """Queue one handshake message."""
        self._handshake.append(message.encode())
        self._flowing = None

    def send_change_cipher_spec(self) -> None:
        """Queue the compatibility record; it is never protected (§5)."""
        self._close_records()
        self._enqueue(plaintext_record(ContentType.CHANGE_CIPHER_SPEC, b"\x01", LEGACY_VERSION))

    def send_alert(self, description: AlertDescription) -> None:
        """Queue an alert."""
        self._close_records()
        closing = description in (AlertDescription.CLOSE_NOTIFY, AlertDescription.USER_CANCELED)
        level = AlertLevel.WARNING if closing else AlertLevel.FATAL
        self._append(ContentType.ALERT, bytes((level, description)))

    def use_secret(self, suite: SuiteParameters, traffic_secret: Secret) -> None:
        """Protect everything from here on."""
        self._close_records()
        self._protection = SendProtection(suite, traffic_secret)
        self._flowing = None

    def send_data(self, data: bytes) -> None:
        """Queue a copy of application data: `protect` for those who do not mind one."""
        self._flowing = None  # what is queued here goes before what `protect` is given next
        for start in range(0, len(data), self.max_fragment):
            self._protect_copy(data[start : start + self.max_fragment], self._queue)

    def protect_small(self, fragment: bytes | memoryview) -> bytes:
        """`protect` for a fragment of which a copy costs nothing: less than the views of it do.

        Args:
            fragment: no more than fits in one record.

        Returns:
            The record, behind a KeyUpdate if one is due; nothing if our direction has ended.
        """
        protection = self._flowing
        if protection is not None:
            try:
                behind, header = self._small[len(fragment)]
                nonce = next(protection.data_nonces)
            except (IndexError, StopIteration):  # not small, or so much for this key
                pass
            else:
                encrypt = protection.encrypt  # in two steps: only so the interpreter is at its best
                return header + encrypt(nonce, b"".join((fragment, behind)), header)
        records: list[bytes | memoryview] = []
        self._protect_copy(fragment, records)
        return b"".join(records)

    def protect_run(self, run: Run, count: int, out: list[bytes | memoryview]) -> None:
        """`protect` for the first `count` fragments of a run, at once.

        Args:
            run: of fragments that are not padded, and no longer than `max_fragment`.
            count: how many of them hold data.
            out: the records are appended to it, a KeyUpdate before the one where it is due.
        """
        protection = self._flowing
        if protection is None:
            protection = self._prepare_data(out)
            if protection is None:
                return
        sealed = protection.seal_run(run, 0, count)
        out += run.records[:sealed]
        while sealed < count:  # so much for this key (§5.5)
            protection = self._update_key(protection)
            self._give(out)
            before, sealed = sealed, protection.seal_run(run, sealed, count)
            out += run.records[before:sealed]

    def _protect_copy(self, fragment: bytes | memoryview, out: list[bytes | memoryview]) -> None:
        room = max(PADDED_BELOW + self._padding, len(fragment))
        buffer = memoryview(bytearray(HEADROOM + room + TAILROOM))
        buffer[HEADROOM : HEADROOM + len(fragment)] = fragment
        self.protect(buffer, HEADROOM, len(fragment), out)

    def protect(
        self, buffer: memoryview, start: int, length: int, out: list[bytes | memoryview]
    ) -> None:
        """Encrypt one record of application data in place, for the one who owns the buffer.

        Args:
            buffer: writable, with `HEADROOM` bytes free before `start`, and free after the
                fragment `TAILROOM` and whatever pads it to the configured multiple.
            start: where the fragment begins.
            length: at most `max_fragment`.
            out: the record is appended to it, behind a KeyUpdate if one is due.
        """
        protection = self._flowing
        if protection is None:
            protection = self._prepare_data(out)
            if protection is None:
                return
        try:
            nonce = next(protection.data_nonces)
        except StopIteration:  # so much for this key (§5.5)
            protection = self._update_key(protection)
            self._give(out)
            nonce = next(protection.data_nonces)
        small = self._small
        if length < len(small):
            behind = small[length][0]
        else:
            behind = trailer(DATA, padding_length(length, self._padding, self.max_fragment))
        out.append(protection.seal(buffer, start, length, behind, nonce))

    def _prepare_data(self, out: list[bytes | memoryview]) -> SendProtection | None:
        """Put what is due before data into `out`; None: our direction has ended."""
        protection = self._protection
        if not self._takes_data or protection is None:
            if self._takes_data is None:
                raise RuntimeError("application data before the handshake is complete")
            return None
        if self._key_update_owed:
            protection = self._update_key(protection)
        self._close_records()  # what waits, such as tickets, goes before the data
        self._give(out)
        return protection

    def _give(self, out: list[bytes | memoryview]) -> None:
        """Put what is queued into `out`, where that is somebody else's."""
        if out is not self._queue:
            out += self._queue
            self._queue.clear()
            self._flowing = self._protection

    def take(self) -> bytes:
        """Everything queued."""
        if not self._handshake and not self._queue:
            return b""
        self._close_records()
        taken = b"".join(self._queue)
        self._queue.clear()
        return taken

    def forget(self) -> None:
        """Let go of the keys: nothing more will be sent but what is queued as records."""
        self._close_records()
        self._protection = None
        self.close_to_data()

    def _update_key(self, protection: SendProtection) -> SendProtection:
        """Send KeyUpdate under the old key, then go on to the next (§4.7.3)."""
        self._key_update_owed = False
        self.send_handshake(key_update_message(update_requested=False))
        self._close_records()
        self._protection = protection = protection.next_generation()
        return protection

    def _close_records(self) -> None:
        """Put the waiting handshake messages into as few records as they fit."""
        if not self._handshake:
            return
        messages = b"".join(self._handshake)
        self._handshake.clear()
        size = MAX_FRAGMENT if self._protection is None else self.max_fragment
        for start in range(0, len(messages), size):
            self._append(ContentType.HANDSHAKE, messages[start : start + size])

    def _append(self, content_type: ContentType, fragment: bytes) -> None:
        if self._protection is None:
            self._enqueue(plaintext_record(content_type, fragment, self._initial_version))
            self._initial_version = LEGACY_VERSION
            return
        buffer = memoryview(bytearray(HEADROOM + len(fragment) + TAILROOM))
        buffer[HEADROOM : HEADROOM + len(fragment)] = fragment
        self._enqueue(self._protection.protect(content_type, buffer, HEADROOM, len(fragment)))

    def _enqueue(self, record: bytes | memoryview) -> None:
        self._queue.append(record)
        self._flowing = None
