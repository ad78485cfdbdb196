"""Extension blocks, and the values of the extensions that this engine understands (RFC 9846 §4.3).

A block is kept as the bytes it came in, by number; values are read where they are needed. Where
an extension may stand is a table, and one function judges every block by it. Each `read_…`
raises FatalAlert: decode_error for the wrong shape, illegal_parameter for a wrong value.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from enum import IntEnum, auto
from functools import lru_cache
from struct import Struct

from pqproxy.tls.alerts import AlertDescription, FatalAlert, decode_error, illegal_parameter
from pqproxy.tls.codec import Reader, Writer
from pqproxy.tls.codepoints import ExtensionType, name_of
from pqproxy.tls.values import dataclass

_header = Struct(">HH")  # a number and a length: of an extension, and of a key share
_HEADER_LENGTH = _header.size
_read_header, _write_header = _header.unpack_from, _header.pack

Extensions = Mapping[int, bytes]  # in wire order


class Block(IntEnum):
    """The messages that carry extensions."""

    CLIENT_HELLO = auto()
    SERVER_HELLO = auto()
    HELLO_RETRY_REQUEST = auto()
    ENCRYPTED_EXTENSIONS = auto()
    CERTIFICATE_REQUEST = auto()
    CERTIFICATE = auto()
    NEW_SESSION_TICKET = auto()


CH, SH, HRR = Block.CLIENT_HELLO, Block.SERVER_HELLO, Block.HELLO_RETRY_REQUEST
EE, CR, CT = Block.ENCRYPTED_EXTENSIONS, Block.CERTIFICATE_REQUEST, Block.CERTIFICATE
NST = Block.NEW_SESSION_TICKET

# The table of §4.3, for the extensions we recognise.
PLACES: dict[int, frozenset[Block]] = {
    ExtensionType.SERVER_NAME: frozenset({CH, EE, CR}),
    ExtensionType.MAX_FRAGMENT_LENGTH: frozenset({CH, EE}),
    ExtensionType.STATUS_REQUEST: frozenset({CH, CR, CT}),
    ExtensionType.SUPPORTED_GROUPS: frozenset({CH, EE}),
    ExtensionType.SIGNATURE_ALGORITHMS: frozenset({CH, CR}),
    ExtensionType.APPLICATION_LAYER_PROTOCOL_NEGOTIATION: frozenset({CH, EE}),
    ExtensionType.SIGNED_CERTIFICATE_TIMESTAMP: frozenset({CH, CR, CT}),
    ExtensionType.PADDING: frozenset({CH}),
    ExtensionType.COMPRESS_CERTIFICATE: frozenset({CH, CR}),
    ExtensionType.RECORD_SIZE_LIMIT: frozenset({CH, EE}),
    ExtensionType.PRE_SHARED_KEY: frozenset({CH, SH}),
    ExtensionType.EARLY_DATA: frozenset({CH, EE, NST}),
    ExtensionType.SUPPORTED_VERSIONS: frozenset({CH, SH, HRR}),
    ExtensionType.COOKIE: frozenset({CH, HRR}),
    ExtensionType.PSK_KEY_EXCHANGE_MODES: frozenset({CH}),
    ExtensionType.CERTIFICATE_AUTHORITIES: frozenset({CH, CR}),
    ExtensionType.OID_FILTERS: frozenset({CR}),
    ExtensionType.POST_HANDSHAKE_AUTH: frozenset({CH}),
    ExtensionType.SIGNATURE_ALGORITHMS_CERT: frozenset({CH, CR}),
    ExtensionType.KEY_SHARE: frozenset({CH, SH, HRR}),
}

# The other way round: what we recognise and may not stand in a block.
STRANGERS = {
    block: frozenset(known for known, places in PLACES.items() if block not in places)
    for block in Block
}

# Requests: what stands there needs no answer to have been asked for, and unknown ones are ignored.
REQUESTS = frozenset({CH, CR, NST})


def read_extensions(reader: Reader) -> Extensions:
    """Read an extension block; a repeated type is illegal_parameter (§4.3).

    A hello may bring thousands that nobody knows, and they are to be ignored: so this is a plain
    loop, at a fifth of a microsecond each.
    """
    found: dict[int, bytes] = {}
    block, position = reader.opaque(2), 0
    end = len(block)
    while position < end:
        start = position + _HEADER_LENGTH
        if start > end:
            raise decode_error(f"{reader.name} is truncated")
        extension_type, length = _read_header(block, position)
        position = start + length
        if extension_type in found:
            name = name_of(ExtensionType, extension_type)
            raise illegal_parameter(f"{reader.name} repeats extension {name}")
        found[extension_type] = block[start:position]
    if position != end:
        raise decode_error(f"{reader.name} is truncated")
    return found


def write_extensions(writer: Writer, extensions: Extensions) -> None:
    """Write an extension block."""
    block: list[bytes] = []
    for extension_type, data in extensions.items():
        block += (_write_header(extension_type, len(data)), data)
    writer.opaque(b"".join(block), 2)


def check_places(block: Block, extensions: Extensions, requested: Container[int] = ()) -> None:
    """Judge where extensions stand.

    Raises:
        FatalAlert: illegal_parameter for a known extension in the wrong message,
            unsupported_extension for an answer to what was never asked (§4.3).
    """
    # Looked up by what we know, not by what a hello lists: that may be thousands.
    for extension_type in extensions.keys() & STRANGERS[block]:
        name = name_of(ExtensionType, extension_type)
        raise illegal_parameter(f"extension {name} does not belong into {block.name}")
    if block in REQUESTS:
        return
    for extension_type in extensions:
        if block is HRR and extension_type == ExtensionType.COOKIE:
            continue
        if extension_type not in requested:
            name = name_of(ExtensionType, extension_type)
            raise FatalAlert(
                AlertDescription.UNSUPPORTED_EXTENSION,
                f"{block.name} answers extension {name}, which was not asked for",
            )


@dataclass(frozen=True, slots=True)
class KeyShareEntry:
    """One element of the key_share extension (§4.3.8)."""

    group: int  # a NamedGroup, or a code point we do not know, GREASE included
    key_exchange: bytes

    @classmethod
    def read(cls, reader: Reader) -> KeyShareEntry:
        """Read one entry."""
        return cls(group=reader.uint(2), key_exchange=reader.opaque(2, at_least=1))

    def write(self) -> bytes:
        """Write one entry."""
        return _write_header(self.group, len(self.key_exchange)) + self.key_exchange


def read_client_shares(data: bytes) -> tuple[KeyShareEntry, ...]:
    """key_share in a ClientHello; it may be empty, to ask for a HelloRetryRequest."""
    reader = Reader(data, "key_share")
    shares = reader.vector(2, KeyShareEntry.read)
    reader.finish()
    if len({share.group for share in shares}) != len(shares):  # a MUST NOT of §4.3.8
        raise illegal_parameter("key_share names a group twice")
    return shares


def read_server_share(data: bytes) -> KeyShareEntry:
    """key_share in a ServerHello."""
    reader = Reader(data, "key_share")
    share = KeyShareEntry.read(reader)
    reader.finish()
    return share


def read_single_uint16(data: bytes, name: str) -> int:
    """A value that is one uint16: selected_group, selected_version, record_size_limit."""
    reader = Reader(data, name)
    value = reader.uint(2)
    reader.finish()
    return value


def read_uint16_list(data: bytes, name: str, prefix: int = 2) -> tuple[int, ...]:
    """A value that is a non-empty list of uint16: groups, schemes, versions.

    Clients of one kind all list the same, and such lists are read once.
    """
    read = _read_usual_list if len(data) <= _USUAL_LENGTH else _read_list
    return read(data, name, prefix)


def _read_list(data: bytes, name: str, prefix: int) -> tuple[int, ...]:
    reader = Reader(data, name)
    values = reader.uint16_vector(prefix, at_least=1)
    reader.finish()
    return values


_USUAL_LENGTH = 128  # bytes
_read_usual_list = lru_cache(maxsize=64)(_read_list)


@lru_cache(maxsize=64)  # what is written is our own settings
def write_uint16_list(values: tuple[int, ...], prefix: int = 2) -> bytes:
    """The other way."""
    return Writer().vector_of_uint16(values, prefix).finish()


def read_server_name(data: bytes) -> str:
    """server_name in a ClientHello: exactly one host_name, ASCII (RFC 6066 §3)."""
    reader = Reader(data, "server_name")
    names = reader.vector(2, lambda entry: (entry.uint(1), entry.opaque(2, at_least=1)), at_least=1)
    reader.finish()
    if len(names) != 1 or names[0][0] != 0:
        raise decode_error("server_name is not one host_name")
    host = names[0][1]
    if not host.isascii() or b"\0" in host or len(host) > 255:
        raise decode_error("server_name is no ASCII name")
    return host.decode("ascii")


def write_server_name(host: str) -> bytes:
    """The other way."""
    entry = Writer().uint(0, 1).opaque(host.encode("ascii"), 2).finish()
    return Writer().opaque(entry, 2).finish()


def read_alpn(data: bytes) -> tuple[bytes, ...]:
    """A ProtocolNameList (RFC 7301 §3.1)."""
    reader = Reader(data, "ALPN")
    names = reader.vector(2, lambda entry: entry.opaque(1, at_least=1), at_least=1)
    reader.finish()
    return names


@lru_cache(maxsize=64)
def write_alpn(protocols: tuple[bytes, ...]) -> bytes:
    """The other way."""
    names = b"".join(Writer().opaque(name, 1).finish() for name in protocols)
    return Writer().opaque(names, 2).finish()


def read_cookie(data: bytes) -> bytes:
    """cookie (§4.3.2)."""
    reader = Reader(data, "cookie")
    cookie = reader.opaque(2, at_least=1)
    reader.finish()
    return cookie


def read_record_size_limit(data: bytes) -> int:
    """record_size_limit (RFC 8449 §4): under 64 is illegal_parameter."""
    limit = read_single_uint16(data, "record_size_limit")
    if limit < 64:
        raise illegal_parameter(f"record_size_limit is {limit}")
    return limit
