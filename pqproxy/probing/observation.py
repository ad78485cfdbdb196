"""What the messages of a server said, whether or not the handshake came to an end.

Reads once more what the engine has read, or has refused; so nothing in here may fail.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pqproxy.tls import FatalAlert
from pqproxy.tls.codepoints import ExtensionType, HandshakeType
from pqproxy.tls.extensions import read_server_share, read_single_uint16
from pqproxy.tls.messages import (
    Certificate,
    CertificateVerify,
    HandshakeMessage,
    ServerHello,
)


@dataclass(frozen=True, slots=True)
class Observed:
    """What was said, as far as it came. Sizes are bytes of whole handshake messages.

    A ServerHello may name any group; that the server speaks it shows in what follows.
    """

    group: int | None = None  # of the ServerHello
    keys_agree: bool = False  # something came under the keys of that group, and decrypted
    asked_again: bool = False  # by a HelloRetryRequest
    asked_again_for: int | None = None  # the group that it names, if it names one
    wants_certificate: bool = False  # CertificateRequest: asks, and may insist later
    chain: tuple[bytes, ...] = ()  # DER, leaf first
    certificate_size: int = 0
    signature_scheme: int | None = None  # of CertificateVerify
    tickets: int = 0


def observe(messages: Sequence[HandshakeMessage]) -> Observed:
    """Read them."""
    fields: dict[str, object] = {}
    for message in messages:
        try:
            fields |= _read(message)
        except FatalAlert:  # the engine has said so already
            continue
    tickets = sum(message.type == HandshakeType.NEW_SESSION_TICKET for message in messages)
    keys_agree = any(message.type != HandshakeType.SERVER_HELLO for message in messages)
    return Observed(**fields, keys_agree=keys_agree, tickets=tickets)  # type: ignore[arg-type] # the names are those of the class


def _read(message: HandshakeMessage) -> dict[str, object]:
    match message.type:
        case HandshakeType.SERVER_HELLO:
            return _read_hello(ServerHello.read(message.body))
        case HandshakeType.CERTIFICATE_REQUEST:
            return {"wants_certificate": True}
        case HandshakeType.CERTIFICATE:
            size = len(message.encode())
            return {"certificate_size": size, "chain": Certificate.read(message.body).chain}
        case HandshakeType.CERTIFICATE_VERIFY:
            return {"signature_scheme": CertificateVerify.read(message.body).algorithm}
    return {}


def _read_hello(hello: ServerHello) -> dict[str, object]:
    share = hello.extensions.get(ExtensionType.KEY_SHARE)
    if not hello.is_hello_retry_request:
        return {} if share is None else {"group": read_server_share(share).group}
    group = None if share is None else read_single_uint16(share, "key_share")
    return {"asked_again": True, "asked_again_for": group}
