"""How a ClientHello is cut on its way.

A hello with a post-quantum share does not fit into one TCP segment, and may come in several
records (RFC 9846 §5.1): servers and boxes in between that read once, and expect all of it, fail.
"""

from enum import StrEnum

from pqproxy.tls.codepoints import ContentType
from pqproxy.tls.record import HEADER_LENGTH, plaintext_record

_PARTS = 3


class Cut(StrEnum):
    """Where it is cut."""

    WHOLE = "whole"
    SEGMENTS = "segments"  # between TCP segments, within one record
    RECORDS = "records"  # between TLS records, sent together


def pieces(hello: bytes, cut: Cut) -> list[bytes]:
    """Return what is to be sent, a pause before each but the first.

    Args:
        hello: one whole record with a handshake message, or a part of one.
        cut: how to cut it.
    """
    if cut is Cut.WHOLE:
        return [hello]
    if cut is Cut.SEGMENTS:
        return _in_parts(hello)
    version = int.from_bytes(hello[1:3], "big")
    return [
        b"".join(
            plaintext_record(ContentType.HANDSHAKE, part, version)
            for part in _in_parts(hello[HEADER_LENGTH:])
        )
    ]


def _in_parts(data: bytes) -> list[bytes]:
    size = -(-len(data) // _PARTS)
    return [data[start : start + size] for start in range(0, len(data), size)]
