import pytest

from pqproxy.tls.padding import padding_length, trailer, type_position
from pqproxy.tls.record import MAX_FRAGMENT

DATA, HANDSHAKE = 23, 22


def test_short_fragments_are_padded_to_the_multiple():
    for length in range(1024):
        assert (length + 1 + padding_length(length, 256, MAX_FRAGMENT)) % 256 == 0


def test_padding_reveals_only_the_multiple():
    """Tokens of a stream differ by a few bytes, which would tell what they are."""
    assert {length + padding_length(length, 256, MAX_FRAGMENT) for length in range(1, 200)} == {255}


@pytest.mark.parametrize("length", [1024, 5000, MAX_FRAGMENT])
def test_long_fragments_are_not_padded(length):
    assert padding_length(length, 256, MAX_FRAGMENT) == 0


def test_no_padding_where_none_is_wanted():
    assert padding_length(3, 0, MAX_FRAGMENT) == 0


@pytest.mark.parametrize("length", [1, 62, 63])
def test_padding_stays_within_the_limit_of_the_peer(length):
    assert length + padding_length(length, 256, 63) == 63


@pytest.mark.parametrize("kind", [DATA, HANDSHAKE])
@pytest.mark.parametrize("content", [b"", b"text", b"\x17", b"\x17\0\0", b"\0", b"a\x16\0\x17\x17"])
@pytest.mark.parametrize("padding", [0, 1, 255, MAX_FRAGMENT])
def test_the_type_is_found_in_front_of_the_padding(kind, content, padding):
    """Zeros and bytes that look like a type belong to the content as any other."""
    assert type_position(content + trailer(kind, padding)) == len(content)


@pytest.mark.parametrize("content", [b"", bytes(300)])
def test_where_nothing_but_padding_is_there_is_no_type(content):
    assert type_position(memoryview(content)) == -1
