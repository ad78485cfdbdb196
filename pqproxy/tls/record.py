"""The record layer: cutting records out of a byte stream, and protecting them (RFC 9846 §5).

Everything happens in place. `RecordReader` hands out views into the buffer that was lent to it;
`ReceiveProtection` decrypts where the ciphertext lies, `SendProtection` encrypts where the
plaintext lies. One `protect` is one record. Knows nothing of what records mean.
"""

from __future__ import annotations

from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pqproxy.tls.alerts import AlertDescription, FatalAlert, unexpected_message
from pqproxy.tls.codepoints import LEGACY_VERSION, ContentType
from pqproxy.tls.key_schedule import (
    SuiteParameters,
    next_application_traffic_secret,
    traffic_keys,
)
from pqproxy.tls.secrets import Secret

HEADER_LENGTH = 5
TAG_LENGTH = 16
MAX_FRAGMENT = 2**14
MAX_CIPHERTEXT = MAX_FRAGMENT + 256  # §5.2: what the sender may add, padding apart
MAX_RECORD = HEADER_LENGTH + MAX_CIPHERTEXT

HEADROOM = HEADER_LENGTH  # writable bytes that `protect` needs before the fragment
TAILROOM = 1 + TAG_LENGTH  # and after it, padding apart
PADDED_BELOW = 1024  # fragments shorter than this are padded; see SECURITY.md on token lengths

# AES-GCM allows 2^24.5 full records under one key (§5.5); this is long before.
REKEY_AFTER = 2**23

_header = Struct(">BHH")
_ZEROS = bytes(MAX_FRAGMENT)
_NOTHING = memoryview(b"")
_CONTENT_TYPES = frozenset(ContentType)
_APPLICATION_DATA = int(ContentType.APPLICATION_DATA)


def padding_length(length: int, multiple: int, limit: int) -> int:
    """How many zeros to add to a fragment so that its size tells less.

    Args:
        length: bytes of the fragment.
        multiple: content, type byte and padding together become a multiple of this; 0: none.
        limit: at most so many bytes of content and padding together.
    """
    if not multiple or length >= PADDED_BELOW:
        return 0
    return min(-(length + 1) % multiple, limit - length)


def plaintext_record(content_type: ContentType, fragment: bytes, version: int) -> bytes:
    """A TLSPlaintext (§5.1)."""
    return _header.pack(content_type, version, len(fragment)) + fragment


class SendProtection:
    """Protects one direction under one traffic secret (§5.2)."""

    __slots__ = ("_encrypt_into", "_iv", "_sequence_number", "_suite", "_traffic_secret")

    def __init__(self, suite: SuiteParameters, traffic_secret: Secret) -> None:
        keys = traffic_keys(suite, traffic_secret)
        self._suite, self._traffic_secret = suite, traffic_secret
        self._encrypt_into = AESGCM(keys.key).encrypt_into
        self._iv = int.from_bytes(keys.iv, "big")
        self._sequence_number = 0

    @property
    def rekey_is_due(self) -> bool:
        """Whether a KeyUpdate must go out before more data (§5.5)."""
        return self._sequence_number >= REKEY_AFTER

    def next_generation(self) -> SendProtection:
        """The protection that follows a KeyUpdate (§7.2)."""
        return SendProtection(
            self._suite, next_application_traffic_secret(self._suite, self._traffic_secret)
        )

    def protect(
        self, content_type: int, buffer: memoryview, start: int, length: int, padding: int = 0
    ) -> memoryview:
        """Encrypt `buffer[start : start + length]` where it lies, and return the whole record.

        Writes `HEADROOM` bytes before the fragment, and `TAILROOM` and `padding` after it.
        """
        end = start + length
        buffer[end] = content_type
        end += 1
        if padding:
            buffer[end : end + padding] = _ZEROS[:padding]
            end += padding
        header = _header.pack(_APPLICATION_DATA, LEGACY_VERSION, end - start + TAG_LENGTH)
        sequence_number = self._sequence_number
        self._sequence_number = sequence_number + 1
        nonce = (self._iv ^ sequence_number).to_bytes(12, "big")  # §5.3
        protected = buffer[start - HEADER_LENGTH : end + TAG_LENGTH]
        protected[:HEADER_LENGTH] = header
        self._encrypt_into(nonce, buffer[start:end], header, protected[HEADER_LENGTH:])
        return protected


class ReceiveProtection:
    """Removes the protection of one direction, under one traffic secret (§5.2)."""

    __slots__ = ("_decrypt_into", "_iv", "_sequence_number", "_suite", "_traffic_secret")

    def __init__(self, suite: SuiteParameters, traffic_secret: Secret) -> None:
        keys = traffic_keys(suite, traffic_secret)
        self._suite, self._traffic_secret = suite, traffic_secret
        self._decrypt_into = AESGCM(keys.key).decrypt_into
        self._iv = int.from_bytes(keys.iv, "big")
        self._sequence_number = 0

    def next_generation(self) -> ReceiveProtection:
        """The protection that follows a KeyUpdate (§7.2)."""
        return ReceiveProtection(
            self._suite, next_application_traffic_secret(self._suite, self._traffic_secret)
        )

    def unprotect(self, record: memoryview) -> tuple[int, memoryview]:
        """Decrypt a record where it lies.

        Returns:
            The content type, and the content as a view into `record`.

        Raises:
            FatalAlert: bad_record_mac, the record's bytes being garbage then, never to be read;
                record_overflow, unexpected_message.
        """
        end = len(record) - TAG_LENGTH
        if end <= HEADER_LENGTH:
            raise FatalAlert(AlertDescription.BAD_RECORD_MAC, "record is too short for its tag")
        nonce = (self._iv ^ self._sequence_number).to_bytes(12, "big")
        content = record[HEADER_LENGTH:end]
        try:
            self._decrypt_into(nonce, record[HEADER_LENGTH:], record[:HEADER_LENGTH], content)
        except InvalidTag:
            raise FatalAlert(AlertDescription.BAD_RECORD_MAC, "record fails to decrypt") from None
        self._sequence_number += 1
        last = len(content) - 1
        if last > MAX_FRAGMENT:  # padding counts too (§5.4, RFC 8449 §4)
            raise FatalAlert(AlertDescription.RECORD_OVERFLOW, f"record holds {last} bytes")
        content_type = content[last]
        if not content_type:  # padded (§5.4): the type is the last byte that is not zero
            last = len(content.tobytes().rstrip(b"\0")) - 1
            if last < 0:
                raise unexpected_message("record is all padding")
            content_type = content[last]
        return content_type, content[:last]


class RecordReader:
    """Cuts a byte stream into records, without a copy but for the incomplete one at its end.

    Attributes:
        view: what was lent.
        position: how much of it was cut.
        is_tls: False when the first byte was none that a record starts with.
    """

    __slots__ = ("_kept", "_seen", "is_tls", "position", "view")

    def __init__(self) -> None:
        self.view = _NOTHING
        self.position = 0
        self._kept = b""
        self._seen = False  # a first record was cut
        self.is_tls = True

    @property
    def held(self) -> int:
        """Bytes lent or kept that no record was cut from yet."""
        return len(self._kept) + len(self.view) - self.position

    def lend(self, data: bytes | bytearray | memoryview, room: int) -> None:
        """Take over the next bytes of the stream, for as long as `next_record` walks them.

        Args:
            data: if writable, records are handed out as views into it.
            room: how many bytes at its start are free; what was kept goes there if it fits.
        """
        if self.position < len(self.view):
            self.keep()
        view = data if type(data) is memoryview else memoryview(data)
        kept = len(self._kept)
        if view.readonly or kept > room:
            self.view, self.position = memoryview(bytearray(self._kept + view[room:])), 0
        else:
            if kept:
                view[room - kept : room] = self._kept
            self.view, self.position = view, room - kept
        self._kept = b""

    def keep(self) -> None:
        """Copy out what was not walked yet, so that the lender has its buffer back."""
        if self.position < len(self.view):
            self._kept += self.view[self.position :].tobytes()
        self.view, self.position = _NOTHING, 0

    def drop(self) -> None:
        """Forget everything: nothing more will be walked."""
        self.view, self.position, self._kept = _NOTHING, 0, b""

    def next_record(self, *, protected: bool) -> memoryview | None:
        """Return the next whole record, header included, or None; then the rest is kept.

        Args:
            protected: whether keys are on; a record may be longer then.

        Raises:
            FatalAlert: record_overflow or unexpected_message, as soon as the header is there.
        """
        if self._kept and not len(self.view):
            self.view, self.position = memoryview(bytearray(self._kept)), 0
            self._kept = b""
        view, position = self.view, self.position
        available = len(view) - position
        if available and view[position] not in _CONTENT_TYPES:
            self._refuse_type(view[position])
        if available >= HEADER_LENGTH:
            length = view[position + 3] << 8 | view[position + 4]
            is_protected = protected or view[position] == _APPLICATION_DATA
            if length > (MAX_CIPHERTEXT if is_protected else MAX_FRAGMENT):
                raise FatalAlert(AlertDescription.RECORD_OVERFLOW, f"record of {length} bytes")
            if available >= HEADER_LENGTH + length:
                self.position = position + HEADER_LENGTH + length
                self._seen = True
                return view[position : self.position]
        self.keep()
        return None

    def _refuse_type(self, content_type: int) -> None:
        if self._seen:
            raise unexpected_message(f"record of unknown type {content_type}")
        self.is_tls = False
        raise unexpected_message(f"not TLS: the first byte is {content_type:#04x}")
