"""Protecting records, and removing their protection (RFC 9846 §5.2).

Everything but small records is done in place: `ReceiveProtection` decrypts where the ciphertext
lies, `SendProtection` encrypts where the plaintext lies. One `protect` is one record. Knows nothing
of what records mean.
"""

from __future__ import annotations

from collections import deque
from functools import lru_cache
from itertools import chain, islice, repeat
from struct import Struct
from typing import TYPE_CHECKING

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
from pqproxy.tls.padding import (
    DATA_TYPE,
    PADDED_BELOW,
    ZEROS,
    padding_length,
    trailer,
    type_position,
)
from pqproxy.tls.secrets import Secret

if TYPE_CHECKING:
    from pqproxy.tls.runs import Landing, Run

HEADER_LENGTH = 5
TAG_LENGTH = 16
MAX_FRAGMENT = 2**14
MAX_CIPHERTEXT = MAX_FRAGMENT + 256  # §5.2: what the sender may add, padding apart
MAX_RECORD = HEADER_LENGTH + MAX_CIPHERTEXT
_FULL_CIPHERTEXT = MAX_FRAGMENT + 1 + TAG_LENGTH

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
# The lengths of such records, by the headers that were met: one look for all that is in a header.
# There are no more than lengths, because those of other versions are not put here.
_small_lengths: dict[bytes, int] = {}
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
        data_nonces: the nonces of data from now on; at its end `REKEY_AFTER` of them went out,
            and a KeyUpdate must before more data does (§5.5).
        encrypt: (nonce, plaintext, additional data) -> ciphertext with its tag.
    """

    __slots__ = (
        "_encrypt_into",
        "_nonces",
        "_suite",
        "_traffic_secret",
        "data_nonces",
        "encrypt",
    )

    def __init__(self, suite: SuiteParameters, traffic_secret: Secret) -> None:
        keys = traffic_keys(suite, traffic_secret)
        self._suite, self._traffic_secret = suite, traffic_secret
        cipher = AESGCM(keys.key)
        self.encrypt, self._encrypt_into = cipher.encrypt, cipher.encrypt_into
        nonces = record_nonces(keys.iv)
        self._nonces = nonces
        self.data_nonces = islice(nonces, REKEY_AFTER)

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
        return self.seal(buffer, start, length, behind, next(self._nonces))

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

    def seal_run(self, run: Run, start: int, end: int) -> int:
        """Encrypt the fragments of a run from number `start` to `end` where they lie, unpadded.

        One call of the library after another, with no bytecode between them. Returns the number
        that it came to: less than `end` when as much data went out as one key may protect (§5.5).
        """
        nonces = tuple(islice(self.data_nonces, end - start))
        header = _data_header(run.size - HEADER_LENGTH - TAG_LENGTH)
        run.write(start, end, header, _APPLICATION_DATA)
        contents, bodies = run.contents[start:], run.bodies[start:]
        deque(map(self._encrypt_into, nonces, contents, repeat(header), bodies), maxlen=0)
        return start + len(nonces)


class ReceiveProtection:
    """Removes the protection of one direction, under one traffic secret (§5.2)."""

    __slots__ = ("_decrypt", "_decrypt_into", "_nonce", "_nonces", "_suite", "_traffic_secret")

    def __init__(self, suite: SuiteParameters, traffic_secret: Secret) -> None:
        keys = traffic_keys(suite, traffic_secret)
        self._suite, self._traffic_secret = suite, traffic_secret
        cipher = AESGCM(keys.key)
        self._decrypt, self._decrypt_into = cipher.decrypt, cipher.decrypt_into
        self._nonces = record_nonces(keys.iv)
        self._nonce = next(self._nonces)  # of the next record: one that fails uses none up

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
        header, body = record[_HEADER].tobytes(), record[_BODY]
        if header[0] != _APPLICATION_DATA or header[3] << 8 | header[4] != len(body):
            raise FatalAlert(AlertDescription.BAD_RECORD_MAC, "record is not what its header says")
        return _other_content(*self._decrypt_in_place(body, header))

    def unprotect_data(
        self, view: memoryview, position: int, end: int, data: list[bytes | memoryview]
    ) -> tuple[int, Content | None] | None:
        """Decrypt whole records, for as long as they hold application data.

        Many small records come through this loop at a time: hence the locals. Large ones are
        decrypted where they lie; of small ones a copy costs less than the views that it takes to
        do without.

        Args:
            view: where the records are, from `position` to `end`.
            data: what they hold is appended to it, as views or as bytes.

        Returns:
            None at the end. Otherwise where it stopped, at a record that is not whole or not
            protected, and None; or behind a record that held something else, and what that was.

        Raises:
            FatalAlert: as `unprotect`.
        """
        decrypt, nonces, known = self._decrypt, self._nonces, _small_lengths.get
        while True:
            start = position + HEADER_LENGTH
            if start > end:
                return position, None
            (header,) = _read_header(view, position)
            length = known(header)
            if length is None:
                after = start + (header[3] << 8 | header[4])  # the version is ignored (§5.1)
                if header[0] != _APPLICATION_DATA or after > end:
                    return position, None
                other = self._unprotect_large(view[start:after], header, data)
                if other is not None:
                    return after, other
            else:
                after = start + length
                if after > end:
                    return position, None
                try:
                    content = decrypt(self._nonce, view[start:after], header)
                except InvalidTag:
                    raise _bad_record() from None
                self._nonce = next(nonces)
                # The type stands behind the data, and zeros behind it (§5.4).
                fragment, _, padding = content.rpartition(DATA_TYPE)
                if not fragment or padding > ZEROS:
                    return after, _other_content(memoryview(content), type_position(content))
                data.append(fragment)
            if after == end:
                return None
            position = after

    def unprotect_small(self, view: memoryview, position: int, end: int) -> bytes | None:
        """The data of a small record from `position` to `end`, nothing being changed.

        Most reads bring one. None: it is another record, or none; what it is finds
        `unprotect_data`, from the beginning.
        """
        (header,) = _read_header(view, position)
        length = _small_lengths.get(header)
        start = position + HEADER_LENGTH
        if length is None or start + length != end:
            return None
        try:
            content = self._decrypt(self._nonce, view[start:end], header)
        except InvalidTag:
            return None
        fragment, _, padding = content.rpartition(DATA_TYPE)
        if not fragment or padding > ZEROS:
            return None
        self._nonce = next(self._nonces)
        return fragment

    def _unprotect_large(
        self, body: memoryview, header: bytes, data: list[bytes | memoryview]
    ) -> Content | None:
        """Decrypt one record where it lies, of any size; returns what it holds besides data."""
        content, last = self._decrypt_in_place(body, header)
        if content[last] != _APPLICATION_DATA or not last:
            return _other_content(content, last)
        data.append(content[:last])
        return None

    def _decrypt_in_place(self, body: memoryview, header: bytes) -> tuple[memoryview, int]:
        """What a record holds, and where its type stands: at the last byte if nowhere else."""
        length = len(body)
        if not TAG_LENGTH < length <= MAX_CIPHERTEXT:
            raise _impossible_length(length)
        if length < _COPIED_BELOW and header == _data_header(length - TAG_LENGTH):
            _small_lengths[header] = length
        content = body[:-TAG_LENGTH]
        try:
            self._decrypt_into(self._nonce, body, header, content)
        except InvalidTag:
            raise _bad_record() from None
        self._nonce = next(self._nonces)
        last = len(content) - 1
        if last > MAX_FRAGMENT:  # padding counts too (§5.4, RFC 8449 §4)
            raise FatalAlert(AlertDescription.RECORD_OVERFLOW, f"record holds {last} bytes")
        return content, last if content[last] else type_position(content)

    def unprotect_run(
        self, landing: Landing, end: int, data: list[bytes | memoryview]
    ) -> tuple[int, Content | None]:
        """Decrypt a run of records that begins where the landing does and is over before `end`.

        For what `unprotect_data` would do, too, with a dozen calls a record. It ends at a record
        of another size, and behind one that holds anything but plain data: each is looked at
        before the next one is decrypted, because a KeyUpdate may be as long as data.

        Returns:
            Where it stopped; and what the last record held, if that was something else than data.

        Raises:
            FatalAlert: as `unprotect`.
        """
        (header,) = _read_header(landing.view, landing.start)
        length = header[3] << 8 | header[4]
        if header[0] != _APPLICATION_DATA or not _COPIED_BELOW <= length <= _FULL_CIPHERTEXT:
            return landing.start, None
        run = landing.run(HEADER_LENGTH + length)
        count = run.count(header, (end - landing.start) // run.size)
        nonces = islice(chain((self._nonce,), self._nonces), count)
        decrypted = map(self._decrypt_into, nonces, run.bodies, repeat(header), run.contents)
        before = len(data)
        try:
            for _, kind, fragment in zip(decrypted, run.types, run.fragments, strict=False):
                if kind != _APPLICATION_DATA:
                    break
                data.append(fragment)
        except InvalidTag:
            raise _bad_record() from None
        if count:
            self._nonce = next(self._nonces)
        done = len(data) - before
        after = landing.start + done * run.size
        if done == count:
            return after, None
        content = run.contents[done]
        last = type_position(content)
        if content[last] != _APPLICATION_DATA or not last:
            return after + run.size, _other_content(content, last)
        data.append(content[:last])  # padded
        return after + run.size, None


def _other_content(content: memoryview, last: int) -> Content:
    """What a record holds that is not plain data; `last` is where its type stands, if anywhere."""
    content_type = content[last]
    if not content_type:
        raise unexpected_message("record is all padding")
    return content_type, content[:last]


def _bad_record() -> FatalAlert:
    return FatalAlert(AlertDescription.BAD_RECORD_MAC, "record fails to decrypt")


def _impossible_length(length: int) -> FatalAlert:
    if length > MAX_CIPHERTEXT:
        return FatalAlert(AlertDescription.RECORD_OVERFLOW, f"record of {length} bytes")
    return FatalAlert(AlertDescription.BAD_RECORD_MAC, "record is too short for its tag")
