"""How large a certificate's names and extensions are, seen before they become objects.

A stranger's certificate of 50 KB, cut into thousands of names, keeps the X.509 library busy for
100 ms, and whoever waits for its neighbours' bytes too. So the parts that are parsed one by one
are measured first. Keys and signatures are left alone: those of ML-DSA are long, and cheap.
"""

from collections.abc import Iterator

MAX_NAME = 1024  # bytes of a subject or an issuer
MAX_LEAF_EXTENSIONS = 8192  # two hundred DNS names
MAX_AUTHORITY_EXTENSIONS = 2048

_SEQUENCE, _EXTENSIONS = 0x30, 0xA3
_FIELDS = 10
_ISSUER, _SUBJECT = 1, 3  # which of the sequences in a TBSCertificate (RFC 5280 §4.1)


def is_too_large(certificate: bytes, *, authority: bool) -> bool:
    """Whether a DER certificate is larger than any that is meant for this.

    What is no certificate is not too large: the parser says what is wrong with it.
    """
    limit = MAX_AUTHORITY_EXTENSIONS if authority else MAX_LEAF_EXTENSIONS
    sequences = []
    for tag, length in _fields_to_be_signed(certificate):
        if tag == _SEQUENCE:
            sequences.append(length)
        elif tag == _EXTENSIONS and length > limit:
            return True
    names = sequences[_ISSUER : _SUBJECT + 1 : _SUBJECT - _ISSUER]
    return any(length > MAX_NAME for length in names)


def _fields_to_be_signed(certificate: bytes) -> Iterator[tuple[int, int]]:
    """Tag and length of each field of the TBSCertificate, as far as they can be told."""
    position = 0
    for _ in ("Certificate", "TBSCertificate"):
        position, length = _header(certificate, position)
    end = min(position + length, len(certificate))
    for _ in range(_FIELDS):
        if position >= end:
            return
        tag = certificate[position]
        position, length = _header(certificate, position)
        yield tag, length
        position += length


def _header(der: bytes, position: int) -> tuple[int, int]:
    """Where the content at `position` starts, and its length."""
    first = der[position + 1] if position + 1 < len(der) else 0
    if first < 0x80:
        return position + 2, first
    start = position + 2 + (first & 0x7F)
    return start, int.from_bytes(der[position + 2 : start], "big")
