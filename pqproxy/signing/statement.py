"""The statement: the few lines that are signed in place of the content (docs/signatures.md).

Its first line begins like nothing else that such a key ever signs: a CertificateVerify begins with
64 spaces (RFC 9846 §4.5.2), certificates, requests and revocation lists with the 0x30 of a DER
sequence. There is one way to write a statement, and any other is refused: what two programs could
read differently is no statement.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from pqproxy.signing.errors import MalformedSignature

MAGIC = "pqproxy-signature/"
VERSION = 1
# What composite signatures and ML-DSA are made under besides; ECDSA alone knows no contexts.
CONTEXT = f"{MAGIC}{VERSION}".encode()

_TIME = "%Y-%m-%dT%H:%M:%SZ"
# [0-9] and not \d, which is any digit of any script.
_FORM = re.compile(
    rf"{MAGIC}{VERSION}\n"
    r"algorithm (?P<algorithm>[A-Za-z0-9-]{1,64})\n"
    r"signer sha256:(?P<signer>[0-9a-f]{64})\n"
    r"content sha512:(?P<content>[0-9a-f]{128})\n"
    r"size (?P<size>0|[1-9][0-9]{0,18})\n"
    r"time (?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)\n"
)


@dataclass(frozen=True, slots=True)
class Statement:
    """Who says what about which bytes."""

    algorithm: str  # as `algorithms` names it
    signer: bytes  # SHA-256 of the signer's certificate
    content: bytes  # SHA-512 of the content
    size: int  # bytes of the content
    time: datetime  # a claim of the signer's, of whole seconds

    def write(self) -> bytes:
        """Return what is signed."""
        lines = (
            f"{MAGIC}{VERSION}",
            f"algorithm {self.algorithm}",
            f"signer sha256:{self.signer.hex()}",
            f"content sha512:{self.content.hex()}",
            f"size {self.size}",
            f"time {self.time.astimezone(UTC).replace(tzinfo=None).isoformat('T', 'seconds')}Z",
        )
        return "".join(f"{line}\n" for line in lines).encode("ascii")

    @classmethod
    def read(cls, data: bytes) -> Statement:
        """Read what `write` wrote. Raises MalformedSignature for anything else."""
        try:
            found = _FORM.fullmatch(data.decode("ascii"))
            time = datetime.strptime(found["time"], _TIME).replace(tzinfo=UTC) if found else None
        except ValueError:  # not ASCII, or there is no such day
            found = time = None
        if found is None or time is None:
            raise MalformedSignature(_what_is_wrong(data))
        return cls(
            algorithm=found["algorithm"],
            signer=bytes.fromhex(found["signer"]),
            content=bytes.fromhex(found["content"]),
            size=int(found["size"]),
            time=time,
        )


def _what_is_wrong(data: bytes) -> str:
    first, newline, _ = data.partition(b"\n")
    if not first.startswith(MAGIC.encode()):
        return "it is no signature file of pqproxy"
    if first.endswith(b"\r"):
        return "its line ends were changed, which makes it another file; fetch it again, as binary"
    version = first.removeprefix(MAGIC.encode())
    if newline and version != str(VERSION).encode() and version.isdigit() and len(version) < 5:
        return f"it is of version {version.decode()}, and only version {VERSION} is known here"
    return "its statement is not in the form of version 1"
