"""Handshake messages between bytes and values (RFC 9846 §4).

Reading checks shape and what stands where; what a value means in the handshake is judged by the
states. Writing is the exact inverse, so `read(write(m)) == m`. Each `read` raises FatalAlert:
decode_error for the wrong shape, another alert where the standard names one.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from pqproxy.tls.alerts import (
    AlertDescription,
    FatalAlert,
    decode_error,
    illegal_parameter,
    unexpected_message,
)
from pqproxy.tls.codec import Reader, Writer
from pqproxy.tls.codepoints import LEGACY_VERSION, ExtensionType, HandshakeType
from pqproxy.tls.extensions import (
    Block,
    Extensions,
    check_places,
    read_extensions,
    write_extensions,
)
from pqproxy.tls.values import dataclass

_algorithm_and_length, _lifetime_and_age = Struct(">HH").pack, Struct(">II").pack

MAX_CERTIFICATES = 6
HELLO_RETRY_REQUEST_RANDOM: Final = bytes.fromhex(  # SHA-256 of "HelloRetryRequest" (§4.2.3)
    "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c"
)


@dataclass(frozen=True, slots=True)
class HandshakeMessage:
    """One whole message: its type and its body, without the four bytes of header."""

    type: int
    body: bytes

    def encode(self) -> bytes:
        """The message as it stands in the transcript."""
        return b"%c%b%b" % (self.type, len(self.body).to_bytes(3, "big"), self.body)


@dataclass(frozen=True, slots=True)
class ClientHello:
    """§4.2.2."""

    legacy_version: int
    random: bytes
    legacy_session_id: bytes
    cipher_suites: tuple[int, ...]
    legacy_compression_methods: bytes
    extensions: Extensions

    @classmethod
    def read(cls, body: bytes) -> ClientHello:
        """Read a ClientHello of any TLS version; one before extensions has an empty block."""
        reader = Reader(body, "ClientHello")
        legacy_version, random = reader.uint(2), reader.take(32)
        session_id = reader.opaque(1)
        if len(session_id) > 32:
            raise decode_error("ClientHello has a session id over 32 bytes")
        cipher_suites = reader.uint16_vector(2, at_least=1)
        compression_methods = reader.opaque(1, at_least=1)
        extensions = {} if reader.at_end else read_extensions(reader)
        reader.finish()
        return cls(
            legacy_version, random, session_id, cipher_suites, compression_methods, extensions
        )

    def message(self) -> HandshakeMessage:
        """Write it."""
        writer = Writer().uint(self.legacy_version, 2).raw(self.random)
        writer.opaque(self.legacy_session_id, 1).vector_of_uint16(self.cipher_suites, 2)
        writer.opaque(self.legacy_compression_methods, 1)
        write_extensions(writer, self.extensions)
        return HandshakeMessage(HandshakeType.CLIENT_HELLO, writer.finish())


@dataclass(frozen=True, slots=True)
class ServerHello:
    """§4.2.3; a HelloRetryRequest is one with a fixed random (§4.2.4)."""

    random: bytes
    legacy_session_id_echo: bytes
    cipher_suite: int
    extensions: Extensions
    legacy_version: int = LEGACY_VERSION
    legacy_compression_method: int = 0

    @property
    def is_hello_retry_request(self) -> bool:
        """Whether this asks for another ClientHello."""
        return self.random == HELLO_RETRY_REQUEST_RANDOM

    @classmethod
    def read(cls, body: bytes) -> ServerHello:
        """Read a ServerHello of any TLS version."""
        reader = Reader(body, "ServerHello")
        legacy_version, random = reader.uint(2), reader.take(32)
        session_id, cipher_suite, compression = reader.opaque(1), reader.uint(2), reader.uint(1)
        if len(session_id) > 32:
            raise decode_error("ServerHello has a session id over 32 bytes")
        extensions = {} if reader.at_end else read_extensions(reader)
        reader.finish()
        return cls(random, session_id, cipher_suite, extensions, legacy_version, compression)

    def message(self) -> HandshakeMessage:
        """Write it."""
        writer = Writer().uint(self.legacy_version, 2).raw(self.random)
        writer.opaque(self.legacy_session_id_echo, 1).uint(self.cipher_suite, 2)
        writer.uint(self.legacy_compression_method, 1)
        write_extensions(writer, self.extensions)
        return HandshakeMessage(HandshakeType.SERVER_HELLO, writer.finish())


@dataclass(frozen=True, slots=True)
class EncryptedExtensions:
    """§4.4.1."""

    extensions: Extensions

    @classmethod
    def read(cls, body: bytes, requested: frozenset[int]) -> EncryptedExtensions:
        """Read it, given the extensions that the ClientHello asked for."""
        reader = Reader(body, "EncryptedExtensions")
        extensions = read_extensions(reader)
        reader.finish()
        check_places(Block.ENCRYPTED_EXTENSIONS, extensions, requested)
        return cls(extensions)

    def message(self) -> HandshakeMessage:
        """Write it."""
        writer = Writer()
        write_extensions(writer, self.extensions)
        return HandshakeMessage(HandshakeType.ENCRYPTED_EXTENSIONS, writer.finish())


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """§4.4.2."""

    extensions: Extensions

    @classmethod
    def read(cls, body: bytes) -> CertificateRequest:
        """Read one of the handshake: its context is empty."""
        reader = Reader(body, "CertificateRequest")
        if reader.opaque(1):
            raise illegal_parameter("CertificateRequest has a context within the handshake")
        extensions = read_extensions(reader)
        reader.finish()
        check_places(Block.CERTIFICATE_REQUEST, extensions)
        return cls(extensions)

    def message(self) -> HandshakeMessage:
        """Write it."""
        writer = Writer().opaque(b"", 1)
        write_extensions(writer, self.extensions)
        return HandshakeMessage(HandshakeType.CERTIFICATE_REQUEST, writer.finish())


@dataclass(frozen=True, slots=True)
class Certificate:
    """§4.5.1: the chain, leaf first, each certificate in DER; empty where a client has none."""

    chain: tuple[bytes, ...]

    @classmethod
    def read(cls, body: bytes) -> Certificate:
        """Read one; entry extensions answer nothing that we ever ask for, so any is refused."""
        reader = Reader(body, "Certificate")
        if reader.opaque(1):
            raise illegal_parameter("Certificate has a context within the handshake")
        chain = reader.vector(3, _read_certificate_entry)
        reader.finish()
        if len(chain) > MAX_CERTIFICATES:
            raise FatalAlert(
                AlertDescription.BAD_CERTIFICATE,
                f"Certificate holds {len(chain)} certificates, at most {MAX_CERTIFICATES} are read",
            )
        return cls(chain)

    def message(self) -> HandshakeMessage:
        """Write it."""
        entries = b"".join(
            Writer().opaque(certificate, 3).opaque(b"", 2).finish() for certificate in self.chain
        )
        body = Writer().opaque(b"", 1).opaque(entries, 3).finish()
        return HandshakeMessage(HandshakeType.CERTIFICATE, body)


def _read_certificate_entry(reader: Reader) -> bytes:
    certificate = reader.opaque(3, at_least=1)
    check_places(Block.CERTIFICATE, read_extensions(reader))
    return certificate


@dataclass(frozen=True, slots=True)
class CertificateVerify:
    """§4.5.2."""

    algorithm: int
    signature: bytes

    @classmethod
    def read(cls, body: bytes) -> CertificateVerify:
        """Read it."""
        reader = Reader(body, "CertificateVerify")
        verify = cls(reader.uint(2), reader.opaque(2))
        reader.finish()
        return verify

    def message(self) -> HandshakeMessage:
        """Write it."""
        head = _algorithm_and_length(self.algorithm, len(self.signature))
        return HandshakeMessage(HandshakeType.CERTIFICATE_VERIFY, head + self.signature)


@dataclass(frozen=True, slots=True)
class NewSessionTicket:
    """§4.7.1."""

    ticket_lifetime: int  # seconds
    ticket_age_add: int
    ticket_nonce: bytes
    ticket: bytes
    extensions: Extensions

    @classmethod
    def read(cls, body: bytes) -> NewSessionTicket:
        """Read it."""
        reader = Reader(body, "NewSessionTicket")
        lifetime, age_add = reader.uint(4), reader.uint(4)
        nonce, ticket = reader.opaque(1), reader.opaque(2, at_least=1)
        extensions = read_extensions(reader)
        reader.finish()
        check_places(Block.NEW_SESSION_TICKET, extensions)
        early_data = extensions.get(ExtensionType.EARLY_DATA)  # how much, which we never send
        if early_data is not None and len(early_data) != 4:
            raise decode_error("early_data in a NewSessionTicket is not a uint32")
        return cls(lifetime, age_add, nonce, ticket, extensions)

    def message(self) -> HandshakeMessage:
        """Write it."""
        writer = Writer().raw(_lifetime_and_age(self.ticket_lifetime, self.ticket_age_add))
        writer.opaque(self.ticket_nonce, 1).opaque(self.ticket, 2)
        write_extensions(writer, self.extensions)
        return HandshakeMessage(HandshakeType.NEW_SESSION_TICKET, writer.finish())


def read_key_update(body: bytes) -> bool:
    """Read a KeyUpdate (§4.7.3): whether the peer wants one back."""
    reader = Reader(body, "KeyUpdate")
    request = reader.uint(1)
    reader.finish()
    if request > 1:
        raise illegal_parameter(f"KeyUpdate asks for {request}")
    return request == 1


def key_update_message(*, update_requested: bool) -> HandshakeMessage:
    """Write a KeyUpdate."""
    return HandshakeMessage(HandshakeType.KEY_UPDATE, bytes((update_requested,)))


# How long a message of each type may be, judged from its header before a byte of it is kept.
MAX_BODY: dict[int, int] = {
    HandshakeType.CLIENT_HELLO: 128 * 1024,  # some clients list 32 715 signature schemes
    HandshakeType.SERVER_HELLO: 16 * 1024,
    HandshakeType.ENCRYPTED_EXTENSIONS: 16 * 1024,
    HandshakeType.CERTIFICATE_REQUEST: 64 * 1024,  # names of authorities, in corporate networks
    HandshakeType.CERTIFICATE: 64 * 1024,  # ML-DSA chains are 10-17 KB
    HandshakeType.CERTIFICATE_VERIFY: 16 * 1024,
    HandshakeType.FINISHED: 1024,
    HandshakeType.NEW_SESSION_TICKET: 16 * 1024,
    HandshakeType.KEY_UPDATE: 1024,
}


class MessageReader:
    """Cuts handshake messages out of record contents (§5.1): they may span and share records."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_empty(self) -> bool:
        """Whether the last record ended with a message: only there may keys change."""
        return not self._buffer

    def feed(self, fragment: bytes | memoryview) -> None:
        """Add what one record held."""
        self._buffer += fragment

    def next_message(self, expects: frozenset[HandshakeType]) -> HandshakeMessage | None:
        """Return the next whole message, or None.

        Type and length are judged as soon as the header is there, so a peer cannot make us keep
        a message that we would refuse.

        Raises:
            FatalAlert: unexpected_message for another type, illegal_parameter or decode_error for
                one that is too long.
        """
        buffer = self._buffer
        if len(buffer) < 4:
            return None
        message_type, end = buffer[0], 4 + int.from_bytes(buffer[1:4], "big")
        if message_type not in expects:
            wanted = " or ".join(sorted(kind.name for kind in expects)) or "no handshake message"
            raise unexpected_message(f"got handshake type {message_type}, wants {wanted}")
        if end - 4 > MAX_BODY[message_type]:
            raise _too_long(HandshakeType(message_type), end - 4)
        if len(buffer) < end:
            return None
        body = bytes(buffer[4:end])
        del buffer[:end]
        return HandshakeMessage(message_type, body)


def _too_long(kind: HandshakeType, length: int) -> FatalAlert:
    reason = f"{kind.name} of {length} bytes, at most {MAX_BODY[kind]}"
    if kind in (HandshakeType.FINISHED, HandshakeType.KEY_UPDATE):  # of one length only
        return decode_error(reason)
    return illegal_parameter(reason)
