"""What stands behind the data in a record: its type, and zeros that hide its length (§5.4).

Knows nothing of keys and of how a record is protected.
"""

from __future__ import annotations

from pqproxy.tls.codepoints import ContentType

PADDED_BELOW = 1024  # fragments shorter than this are padded; see SECURITY.md on token lengths

ZEROS = bytes(2**14 + 256)  # as many as a record holds, and some
DATA_TYPE = bytes((ContentType.APPLICATION_DATA,))


def padding_length(length: int, multiple: int, limit: int) -> int:
    """How many zeros to add to a fragment so that its size tells less.

    Args:
        length: bytes of the fragment.
        multiple: content, type byte and padding together become a multiple of this; 0: none.
        limit: at most so many bytes of content and padding together.
    """
    if not multiple or length >= PADDED_BELOW:
        return 0
    return min(-(length + 1) % multiple, limit - length)


def trailer(content_type: int, padding: int) -> bytes:
    """What follows the fragment in a record: the type byte, and the zeros behind it."""
    return bytes((content_type,)) + ZEROS[:padding]


def type_position(content: bytes | memoryview) -> int:
    """Where the type stands: it is the last byte that is not zero. -1: there is none.

    Data is found by its type, because `rstrip` looks at every zero by itself.
    """
    before, found, behind = bytes(content).rpartition(DATA_TYPE)
    if found and behind <= ZEROS:  # so it is none but zeros
        return len(before)
    return len(bytes(content).rstrip(b"\0")) - 1
