"""The file `FILE.pqsig`: statement, signature and the signer's certificates (docs/signatures.md).

What is read is written again and must come out the same: no white space, no other line length, no
second encoding of anything, nothing behind the end. So nothing can be hidden in such a file, and no
two programs read one differently.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass

from pqproxy.signing.errors import MalformedSignature
from pqproxy.signing.statement import Statement

SIZE_LIMIT = 64 * 1024  # bytes: three times a composite chain of two authorities
MAX_CERTIFICATES = 6  # as many as a handshake may show

_SIGNATURE, _CERTIFICATE = "PQPROXY SIGNATURE", "CERTIFICATE"
_BLOCK = re.compile(
    rf"-----BEGIN ({_SIGNATURE}|{_CERTIFICATE})-----\n([A-Za-z0-9+/=\n]+)-----END \1-----\n"
)
_LINE = 64  # characters of base64


@dataclass(frozen=True, slots=True)
class Envelope:
    """All that a signature file holds. That any of it is true is for others to find out."""

    statement: Statement
    signature: bytes
    chain: tuple[bytes, ...]  # DER, leaf first, without the root

    def write(self) -> bytes:
        """Return the bytes of the file."""
        blocks = [_block(_SIGNATURE, self.signature)]
        blocks += [_block(_CERTIFICATE, certificate) for certificate in self.chain]
        return self.statement.write() + "".join(blocks).encode("ascii")

    @classmethod
    def read(cls, data: bytes) -> Envelope:
        """Read a signature file. Raises MalformedSignature."""
        if len(data) > SIZE_LIMIT:
            raise MalformedSignature(f"it is larger than the {SIZE_LIMIT} bytes that are read")
        if not data:
            raise MalformedSignature("it is empty")
        head, dashes, _ = data.partition(b"-----")
        statement = Statement.read(head)
        signatures, chain = _read_blocks(data[len(head) :]) if dashes else ([], [])
        if len(signatures) != 1:
            raise MalformedSignature(f"it holds {len(signatures)} signatures, not one")
        if not 1 <= len(chain) <= MAX_CERTIFICATES:
            raise MalformedSignature(
                f"it holds {len(chain)} certificates, not 1 to {MAX_CERTIFICATES}"
            )
        envelope = cls(statement, signatures[0], tuple(chain))
        if envelope.write() != data:
            raise MalformedSignature("it is damaged, or not written as such a file is written")
        if hashlib.sha256(envelope.chain[0]).digest() != statement.signer:
            raise MalformedSignature("its first certificate is not the one its statement names")
        return envelope


def _read_blocks(data: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return the signatures and the certificates; what stands between them is not looked at."""
    found: dict[str, list[bytes]] = {_SIGNATURE: [], _CERTIFICATE: []}
    for block in _BLOCK.finditer(data.decode("ascii", "replace")):
        try:
            found[block[1]].append(binascii.a2b_base64(block[2]))
        except binascii.Error:
            raise MalformedSignature("it holds base64 that does not decode") from None
    return found[_SIGNATURE], found[_CERTIFICATE]


def _block(label: str, content: bytes) -> str:
    body = base64.b64encode(content).decode("ascii")
    lines = "".join(f"{body[at : at + _LINE]}\n" for at in range(0, len(body), _LINE))
    return f"-----BEGIN {label}-----\n{lines}-----END {label}-----\n"
