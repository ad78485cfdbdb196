import pytest

from pqproxy.tls.alerts import AlertDescription, FatalAlert
from pqproxy.tls.codec import Reader, Writer


def refusal(read):
    with pytest.raises(FatalAlert) as caught:
        read()
    assert caught.value.description is AlertDescription.DECODE_ERROR
    return caught.value.reason


@pytest.mark.parametrize(
    ("data", "size", "value"), [("07", 1, 7), ("0102", 2, 258), ("010000", 3, 65536)]
)
def test_integers_are_read_in_network_order(data, size, value):
    assert Reader(bytes.fromhex(data), "x").uint(size) == value


def test_a_reader_cannot_overrun():
    reader = Reader(b"abc", "Finished")

    assert refusal(lambda: reader.take(4)) == "Finished is truncated"
    assert reader.take(3) == b"abc"  # the failed read took nothing
    assert refusal(lambda: reader.take(1)) == "Finished is truncated"


def test_a_vector_longer_than_its_message_is_truncated():
    assert "truncated" in refusal(lambda: Reader(b"\x05abcd", "x").opaque(1))


def test_a_vector_shorter_than_its_type_allows_is_refused():
    assert "vector of 0 bytes" in refusal(lambda: Reader(b"\0", "x").opaque(1, at_least=1))


def test_what_is_left_over_is_refused():
    reader = Reader(b"ab", "KeyUpdate")
    reader.take(1)

    assert refusal(reader.finish) == "KeyUpdate has trailing bytes"


def test_a_value_read_to_its_end_is_accepted():
    reader = Reader(b"a", "x")
    reader.take(1)

    reader.finish()
    assert reader.at_end


def test_elements_of_a_vector_cannot_reach_beyond_it():
    """The second element claims a byte that belongs to what follows the vector."""
    data = bytes.fromhex("0003 01aa 01 bb")

    refusal(lambda: Reader(data, "x").vector(2, lambda r: r.opaque(1)))


def test_a_vector_is_read_until_it_is_used_up():
    reader = Reader(bytes.fromhex("0004 01aa 01bb ff"), "x")

    assert reader.vector(2, lambda r: r.opaque(1)) == (b"\xaa", b"\xbb")
    assert reader.take(1) == b"\xff"


def test_an_empty_vector_is_refused_where_the_type_wants_an_element():
    assert Reader(b"\0\0", "x").vector(2, lambda r: r.uint(1)) == ()
    assert "empty" in refusal(
        lambda: Reader(b"\0\0", "x").vector(2, lambda r: r.uint(1), at_least=1)
    )


def test_a_vector_read_one_by_one_has_256_elements_at_most():
    """Thousands of key shares in one hello would stall everybody else."""
    assert len(Reader(b"\1\0" + bytes(256), "x").vector(2, lambda r: r.uint(1))) == 256
    with pytest.raises(FatalAlert) as caught:
        Reader(b"\1\1" + bytes(257), "x").vector(2, lambda r: r.uint(1))
    assert caught.value.description is AlertDescription.ILLEGAL_PARAMETER


def test_half_an_element_is_refused():
    assert "half an element" in refusal(lambda: Reader(b"\0\3abc", "x").uint16_vector(2))


def test_a_list_of_thousands_is_read_at_once():
    values = tuple(range(32_767))

    assert Reader(Writer().vector_of_uint16(values, 2).finish(), "x").uint16_vector(2) == values


def test_what_the_writer_writes_is_what_the_standard_says():
    writer = Writer().uint(1, 1).opaque(b"ab", 2).raw(b"c").vector_of_uint16((3, 4), 1)

    assert writer.finish() == bytes.fromhex("01 0002 6162 63 04 0003 0004")


def test_a_writer_refuses_a_value_that_does_not_fit_its_prefix():
    with pytest.raises(OverflowError):
        Writer().opaque(bytes(256), 1)
