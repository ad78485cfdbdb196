"""The record layer: cutting records out of a byte stream, and protecting them (RFC 9846 §5).

Everything happens in place. `RecordReader` hands out views into the buffer that was lent to it;
`ReceiveProtection` decrypts where the ciphertext lies, `SendProtection` encrypts where the
plaintext lies. One `protect` is one record. Knows nothing of what records mean.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import islice
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
from pqproxy.tls.nonces import record_nonces
from pqproxy.tls.padding import PADDED_BELOW, padding_length, trailer, type_position
from pqproxy.tls.secrets import Secret

HEADER_LENGTH = 5
TAG_LENGTH = 16
MAX_FRAGMENT = 2**14
MAX_CIPHERTEXT = MAX_FRAGMENT + 256  # §5.2: what the sender may add, padding apart
MAX_RECORD = HEADER_LENGTH + MAX_CIPHERTEXT

HEADROOM = HEADER_LENGTH  # writable bytes that `protect` needs before the fragment
TAILROOM = 1 + TAG_LENGTH  # and after it, padding apart

# AES-GCM allows 2^24.5 full records under one key (§5.5); this is long before.
REKEY_AFTER = 2**23

_header = Struct(">BHH").pack
_read_header = Struct(f">{HEADER_LENGTH}s").unpack_from
# Named slices of a record.
_HEADER = slice(HEADER_LENGTH)
_BODY = slice(HEADER_LENGTH, None)
_CONTENT = slice(HEADER_LENGTH, -TAG_LENGTH)
# Up to here it costs less to copy what a record holds than to make views of it.
_COPIED_BELOW = 2048
_NOTHING = memoryview(b"")
_CONTENT_TYPES = frozenset(ContentType)
_TELLING = 16  # bytes that tell text from garbage: a first line in HTTP has no fewer
_TEXT = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_APPLICATION_DATA = int(ContentType.APPLICATION_DATA)

Content = tuple[int, memoryview]  # the content type, and the content as a view


@lru_cache(maxsize=16)
def small_records(multiple: int) -> tuple[tuple[bytes, bytes], ...]:
    """(trailer, header) of the record of each fragment shorter than `PADDED_BELOW`, by its length.

    Args:
        multiple: as of `padding_length`.
    """
    made: list[tuple[bytes, bytes]] = []
    for length in range(PADDED_BELOW):
        behind = trailer(_APPLICATION_DATA, padding_length(length, multiple, MAX_FRAGMENT))
        made.append((behind, _data_header(length + len(behind))))
    return tuple(made)


@lru_cache(maxsize=64)
def _data_header(inner_length: int) -> bytes:
    return _header(_APPLICATION_DATA, LEGACY_VERSION, inner_length + TAG_LENGTH)


def plaintext_record(content_type: ContentType, fragment: bytes, version: int) -> bytes:
    """A TLSPlaintext (§5.1)."""
    return _header(content_type, version, len(fragment)) + fragment


class SendProtection:
    """Protects one direction under one traffic secret (§5.2).

    Attributes:
        encrypt: (nonce, plaintext, additional data) -> ciphertext with its tag.
        next_data_nonce: draws the nonce of the next record of data; StopIteration: `REKEY_AFTER`
            of them went out, and a KeyUpdate must before more data does (§5.5).
    """

    __slots__ = (
        "_encrypt_into",
        "_next_nonce",
        "_suite",
        "_traffic_secret",
        "encrypt",
        "next_data_nonce",
    )

    def __init__(self, suite: SuiteParameters, traffic_secret: Secret) -> None:
        keys = traffic_keys(suite, traffic_secret)
        self._suite, self._traffic_secret = suite, traffic_secret
        cipher = AESGCM(keys.key)
        self.encrypt, self._encrypt_into = cipher.encrypt, cipher.encrypt_into
        nonces = record_nonces(keys.iv)
        self._next_nonce = nonces.__next__
        self.next_data_nonce = islice(nonces, REKEY_AFTER).__next__

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
        behind = trailer(content_type, padding)
        return self.seal(buffer, start, length, behind, self._next_nonce())

    def seal(
        self, buffer: memoryview, start: int, length: int, behind: bytes, nonce: bytes
    ) -> memoryview:
        """`protect`, given the nonce, and what stands behind the fragment: type and padding."""
        end = start + length
        inner_end = end + len(behind)
        buffer[end:inner_end] = behind
        record = buffer[start - HEADER_LENGTH : inner_end + TAG_LENGTH]
        header = _data_header(inner_end - start)
        record[_HEADER] = header
        encrypt_into = self._encrypt_into  # in two steps: only so the interpreter is at its best
        encrypt_into(nonce, record[_CONTENT], header, record[_BODY])
        return record


class ReceiveProtection:
    """Removes the protection of one direction, under one traffic secret (§5.2)."""

    __slots__ = ("_decrypt", "_decrypt_into", "_next_nonce", "_nonce", "_suite", "_traffic_secret")

    def __init__(self, suite: SuiteParameters, traffic_secret: Secret) -> None:
        keys = traffic_keys(suite, traffic_secret)
        self._suite, self._traffic_secret = suite, traffic_secret
        cipher = AESGCM(keys.key)
        self._decrypt, self._decrypt_into = cipher.decrypt, cipher.decrypt_into
        self._next_nonce = record_nonces(keys.iv).__next__
        self._nonce = self._next_nonce()  # of the next record: one that fails uses none up

    def next_generation(self) -> ReceiveProtection:
        """The protection that follows a KeyUpdate (§7.2)."""
        return ReceiveProtection(
            self._suite, next_application_traffic_secret(self._suite, self._traffic_secret)
        )

    def unprotect(self, record: memoryview) -> Content:
        """Decrypt one record where it lies.

        Returns:
            The content type, and the content as a view into `record`.

        Raises:
            FatalAlert: bad_record_mac, the record's bytes being garbage then, never to be read;
                record_overflow, unexpected_message.
        """
        data: list[bytes | memoryview] = []
        stop = self.unprotect_data(record, 0, len(record), data)
        if stop is None:
            return _APPLICATION_DATA, memoryview(data[0])
        _, other = stop
        if other is None:
            raise FatalAlert(AlertDescription.BAD_RECORD_MAC, "record is not what its header says")
        return other

    def unprotect_data(
        self, view: memoryview, position: int, end: int, data: list[bytes | memoryview]
    ) -> tuple[int, Content | None] | None:
        """Decrypt whole records, for as long as they hold application data.

        Every byte that is proxied comes through this loop, a small record at a time: hence the
        locals, and no call that can be done without. Large records are decrypted where they lie;
        of small ones a copy costs less than the views that it takes to do without.

        Args:
            view: where the records are, from `position` to `end`.
            data: what they hold is appended to it, as views or as bytes.

        Returns:
            None at the end. Otherwise where it stopped, at a record that is not whole or not
            protected, and None; or behind a record that held something else, and what that was.

        Raises:
            FatalAlert: as `unprotect`.
        """
        decrypt, next_nonce = self._decrypt, self._next_nonce
        while True:
            start = position + HEADER_LENGTH
            if start > end:
                return position, None
            (header,) = _read_header(view, position)
            length = header[3] << 8 | header[4]  # the version is ignored (§5.1)
            after = start + length
            if header[0] != _APPLICATION_DATA or after > end:
                return position, None
            if not TAG_LENGTH < length <= MAX_CIPHERTEXT:
                raise _impossible_length(length)
            try:
                if length < _COPIED_BELOW:
                    content: bytes | memoryview = decrypt(self._nonce, view[start:after], header)
                else:
                    content = view[start : after - TAG_LENGTH]
                    self._decrypt_into(self._nonce, view[start:after], header, content)
            except InvalidTag:
                reason = "record fails to decrypt"
                raise FatalAlert(AlertDescription.BAD_RECORD_MAC, reason) from None
            self._nonce = next_nonce()
            last = length - TAG_LENGTH - 1
            if last > MAX_FRAGMENT:  # padding counts too (§5.4, RFC 8449 §4)
                raise FatalAlert(AlertDescription.RECORD_OVERFLOW, f"record holds {last} bytes")
            if not content[last]:
                last = type_position(content)
            if content[last] != _APPLICATION_DATA or not last:
                return after, _other_content(content, last)
            data.append(content[:last])
            if after == end:
                return None
            position = after


def _other_content(content: bytes | memoryview, last: int) -> Content:
    """What a record holds that is not plain data; `last` is where its type stands, if anywhere."""
    content_type = content[last]
    if not content_type:
        raise unexpected_message("record is all padding")
    return content_type, memoryview(content)[:last]


def _impossible_length(length: int) -> FatalAlert:
    if length > MAX_CIPHERTEXT:
        return FatalAlert(AlertDescription.RECORD_OVERFLOW, f"record of {length} bytes")
    return FatalAlert(AlertDescription.BAD_RECORD_MAC, "record is too short for its tag")


class RecordReader:
    """Cuts a byte stream into records, without a copy but for the incomplete one at its end.

    Attributes:
        view: what was lent.
        position: how much of it was cut.
        kept: bytes of an incomplete record, copied out.
        is_tls: False when the first byte was none that a record starts with.
        is_text: what came instead of TLS is text, such as plain HTTP.
    """

    __slots__ = ("_seen", "is_text", "is_tls", "kept", "position", "view")

    def __init__(self) -> None:
        self.view = _NOTHING
        self.position = 0
        self.kept = b""
        self._seen = False  # a first record was cut
        self.is_tls = True
        self.is_text = False

    @property
    def held(self) -> int:
        """Bytes lent or kept that no record was cut from yet."""
        return len(self.kept) + len(self.view) - self.position

    def lend(self, data: bytes | bytearray | memoryview, room: int) -> None:
        """Take over the next bytes of the stream, for as long as `next_record` walks them.

        Args:
            data: if writable, records are handed out as views into it.
            room: how many bytes at its start are free; what was kept goes there if it fits.
        """
        if self.position < len(self.view):
            self.keep()
        view = data if type(data) is memoryview else memoryview(data)
        kept = len(self.kept)
        if view.readonly or kept > room:
            self.view, self.position = memoryview(bytearray(self.kept + view[room:])), 0
        else:
            if kept:
                view[room - kept : room] = self.kept
            self.view, self.position = view, room - kept
        self.kept = b""

    def join(self, view: memoryview, room: int) -> tuple[memoryview, int, int]:
        """Put what is kept in front of the next bytes; returns where, its start and its end."""
        self.lend(view, room)
        view, position = self.view, self.position
        self.drop()
        return view, position, len(view)

    def keep(self) -> None:
        """Copy out what was not walked yet, so that the lender has its buffer back."""
        if self.position < len(self.view):
            self.kept += self.view[self.position :].tobytes()
        self.view, self.position = _NOTHING, 0

    def drop(self) -> None:
        """Forget everything: nothing more will be walked."""
        self.view, self.position, self.kept = _NOTHING, 0, b""

    def next_record(self, *, protected: bool) -> memoryview | None:
        """Return the next whole record, header included, or None; then the rest is kept.

        Args:
            protected: whether keys are on; a record may be longer then.

        Raises:
            FatalAlert: record_overflow or unexpected_message, as soon as the header is there.
        """
        if self.kept and not len(self.view):
            self.view, self.position = memoryview(bytearray(self.kept)), 0
            self.kept = b""
        view, position = self.view, self.position
        available = len(view) - position
        if available and view[position] not in _CONTENT_TYPES:
            self._refuse_type(bytes(view[position : position + _TELLING]))
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

    def _refuse_type(self, begins: bytes) -> None:
        if self._seen:
            raise unexpected_message(f"record of unknown type {begins[0]}")
        self.is_tls = False
        self.is_text = not begins.translate(None, _TEXT)
        kind = "not TLS but text" if self.is_text else "not TLS"
        raise unexpected_message(f"{kind}: the first byte is {begins[:1]!r}")
