"""Hellos that the engine on purpose cannot send: TLS 1.2, and groups that it does not speak.

They are never completed. What is asked with them is answered by the first message that comes back.
"""

import os
from collections.abc import Sequence

from pqproxy.probing.naming import POST_QUANTUM
from pqproxy.tls import (
    CLASSICAL_GROUPS,
    HANDSHAKE_SCHEMES,
    HYBRID_GROUPS,
    PRIVATE_GROUPS,
    CipherSuite,
)
from pqproxy.tls.codepoints import LEGACY_VERSION, TLS_1_3, ContentType, ExtensionType
from pqproxy.tls.endpoints import INITIAL_VERSION
from pqproxy.tls.extensions import write_server_name, write_uint16_list
from pqproxy.tls.messages import ClientHello
from pqproxy.tls.record import plaintext_record

# Beyond those of the engine: what a server may hold a certificate for.
OTHER_SCHEMES = (0x0807, 0x0603, 0x0806, 0x0808, 0x0809, 0x080A, 0x080B)
# Groups that the engine does not speak, asked for without a share.
FOREIGN_POST_QUANTUM = tuple(
    sorted(POST_QUANTUM.difference(HYBRID_GROUPS, PRIVATE_GROUPS), reverse=True)
)
FOREIGN_CLASSICAL = (0x0019, 0x001E, 0x0100, 0x0101, 0x0102)

_OLD_SCHEMES = (0x0401, 0x0501, 0x0601, 0x0203, 0x0201)
_OLD_SUITES = (
    *(0xC02C, 0xC02B, 0xC030, 0xC02F, 0xCCA9, 0xCCA8, 0x009F, 0x009E),  # forward secret, AEAD
    *(0xC024, 0xC023, 0xC028, 0xC027, 0xC00A, 0xC009, 0xC014, 0xC013, 0x0039, 0x0033),
    *(0x009D, 0x009C, 0x003D, 0x003C, 0x0035, 0x002F, 0x000A),  # by RSA alone
)
_CHACHA20 = 0x1303
_POINT_FORMATS, _EXTENDED_SECRET, _RENEGOTIATION = 0x000B, 0x0017, 0xFF01


def older_hello(server_name: str | None) -> bytes:
    """The record of a client that speaks TLS 1.2 at most, and whatever is older."""
    extensions = _named(server_name) | {
        ExtensionType.SUPPORTED_GROUPS: write_uint16_list((*CLASSICAL_GROUPS, 0x0019)),
        _POINT_FORMATS: b"\x01\x00",
        ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list(_schemes() + _OLD_SCHEMES),
        _EXTENDED_SECRET: b"",
        _RENEGOTIATION: b"\x00",
    }
    return _record(_OLD_SUITES, extensions, session_id=b"")


def shareless_hello(groups: Sequence[int], server_name: str | None) -> bytes:
    """The record of a TLS 1.3 client that has these groups and sends a share for none.

    A server that speaks one of them answers with a HelloRetryRequest (RFC 9846 §4.3.8).
    """
    extensions = _named(server_name) | {
        ExtensionType.SUPPORTED_VERSIONS: write_uint16_list((TLS_1_3,), prefix=1),
        ExtensionType.SUPPORTED_GROUPS: write_uint16_list(tuple(groups)),
        ExtensionType.SIGNATURE_ALGORITHMS: write_uint16_list(_schemes() + _OLD_SCHEMES),
        ExtensionType.KEY_SHARE: b"\x00\x00",
    }
    return _record((*CipherSuite, _CHACHA20), extensions, session_id=os.urandom(32))


def _schemes() -> tuple[int, ...]:
    return tuple(HANDSHAKE_SCHEMES) + OTHER_SCHEMES


def _named(server_name: str | None) -> dict[int, bytes]:
    return (
        {} if server_name is None else {ExtensionType.SERVER_NAME: write_server_name(server_name)}
    )


def _record(suites: Sequence[int], extensions: dict[int, bytes], session_id: bytes) -> bytes:
    hello = ClientHello(
        legacy_version=LEGACY_VERSION,
        random=os.urandom(32),
        legacy_session_id=session_id,
        cipher_suites=tuple(suites),
        legacy_compression_methods=b"\0",
        extensions=extensions,
    )
    return plaintext_record(ContentType.HANDSHAKE, hello.message().encode(), INITIAL_VERSION)
