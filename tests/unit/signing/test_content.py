import hashlib
import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pqproxy.signing import content as module
from pqproxy.signing.content import Digest, digest
from pqproxy.signing.errors import ContentChanged


def of(data):
    return Digest(hashlib.sha512(data).digest(), len(data))


@given(st.binary(max_size=200), st.integers(1, 50))
def test_bytes_files_and_streams_have_one_digest(data, piece):
    """However the stream cuts them."""

    class Dripping(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, piece))

    assert digest(data) == digest(bytearray(data)) == digest(memoryview(data)) == of(data)
    assert digest(Dripping(data)) == of(data)


def test_a_file_is_read_piece_by_piece(tmp_path, monkeypatch):
    path = tmp_path / "model"
    path.write_bytes(b"0123456789" * 1000)
    monkeypatch.setattr(module, "_PIECE", 7)

    assert digest(path) == of(b"0123456789" * 1000)


def test_no_more_is_read_than_one_byte_beyond_the_limit():
    """An endless stream with a small signature ends all the same."""
    stream = io.BytesIO(bytes(1000))

    assert digest(stream, limit=10) == of(bytes(11))
    assert stream.tell() == 11
    assert digest(io.BytesIO(bytes(10)), limit=10) == of(bytes(10))
    assert digest(io.BytesIO(b""), limit=0) == of(b"")


def test_an_array_counts_in_bytes():
    wide = memoryview(bytes(8)).cast("I")
    assert digest(wide) == of(bytes(8))


@pytest.mark.parametrize("change", ["appended", "rewritten", "replaced"])
def test_a_file_that_changes_while_it_is_read_has_no_digest(tmp_path, monkeypatch, change):
    path = tmp_path / "model"
    path.write_bytes(b"first")
    os.utime(path, ns=(0, 0))
    read = module._digest_of_stream

    def reading(stream, limit):
        found = read(stream, limit)
        if change == "appended":
            path.write_bytes(b"first, and more")
        elif change == "rewritten":
            path.write_bytes(b"other")
        else:
            other = tmp_path / "other"
            other.write_bytes(b"first")
            os.utime(other, ns=(0, 0))
            other.replace(path)
        return found

    monkeypatch.setattr(module, "_digest_of_stream", reading)
    with pytest.raises(ContentChanged, match="changed while it was read"):
        digest(path)


def test_a_pipe_has_no_state_to_compare(tmp_path):
    reader, writer = os.pipe()
    os.write(writer, b"piped")
    os.close(writer)
    try:
        assert digest(module.Path(f"/proc/self/fd/{reader}")) == of(b"piped")
    finally:
        os.close(reader)


def test_a_stream_that_does_not_wait_is_said():
    class NotReady(io.RawIOBase):
        def readinto(self, buffer):
            return None

        def readable(self):
            return True

    with pytest.raises(BlockingIOError, match="give one that blocks"):
        digest(NotReady())


def test_a_missing_file_is_an_error_of_the_system(tmp_path):
    with pytest.raises(FileNotFoundError):
        digest(tmp_path / "none")
