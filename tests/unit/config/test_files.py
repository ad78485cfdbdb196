import os
from pathlib import Path

import pytest

from pqproxy.config.files import (
    SIZE_LIMIT,
    UnreadableFile,
    read_file,
    read_passphrase,
    read_revocation_files,
)


def test_a_file_is_read(tmp_path):
    (tmp_path / "a.crt").write_bytes(b"x")

    assert read_file(tmp_path / "a.crt") == b"x"


def test_a_missing_file_is_named_with_a_neighbour_that_was_meant(tmp_path):
    (tmp_path / "server.crt").write_bytes(b"x")

    with pytest.raises(
        UnreadableFile, match=r"there is no .*/sever\.crt, did you mean server\.crt"
    ):
        read_file(tmp_path / "sever.crt")


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(UnreadableFile, match="Is a directory"):
        read_file(tmp_path)


def test_a_file_below_a_file_is_named(tmp_path):
    (tmp_path / "a").write_bytes(b"x")

    with pytest.raises(UnreadableFile, match="cannot be read: Not a directory"):
        read_file(tmp_path / "a" / "b")


def test_a_file_of_somebody_else_is_named_with_who_may_not_read_it(tmp_path, monkeypatch):
    """In a container nobody remembers which user that is."""

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)

    with pytest.raises(UnreadableFile, match=rf"user {os.geteuid()} may not read it"):
        read_file(tmp_path / "a")


def test_a_path_with_a_nul_is_refused(tmp_path):
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_file(tmp_path / "a\0b")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "a").write_bytes(b" \n")

    with pytest.raises(UnreadableFile, match="is empty"):
        read_file(tmp_path / "a")


@pytest.mark.parametrize(("size", "is_refused"), [(SIZE_LIMIT, False), (SIZE_LIMIT + 1, True)])
def test_a_file_has_a_size_limit(tmp_path, size, is_refused):
    """A wrong path may lead to a model of 70 GB."""
    (tmp_path / "a").write_bytes(b"x" * size)

    if is_refused:
        with pytest.raises(UnreadableFile, match="too large"):
            read_file(tmp_path / "a")
    else:
        assert len(read_file(tmp_path / "a")) == size


@pytest.mark.parametrize("content", [b"correct horse", b"correct horse\n", b"correct horse\r\n"])
def test_a_passphrase_is_a_line_without_its_break(tmp_path, content):
    """Editors add one, secrets of Kubernetes have none."""
    (tmp_path / "p").write_bytes(content)

    assert read_passphrase(tmp_path / "p") == b"correct horse"


def test_revocation_files_may_be_a_directory(tmp_path):
    """Beside the lists may stand the certificates of who signed them."""
    for name in ("b.crl", "a.pem", "README", "c.der", "d.crt"):
        (tmp_path / name).write_bytes(name.encode())

    found = read_revocation_files(tmp_path)

    assert [file.content for file in found] == [b"a.pem", b"b.crl", b"c.der", b"d.crt"]
    assert found[1].source == str(tmp_path / "b.crl")


def test_a_directory_without_revocation_lists_is_refused(tmp_path):
    """It was named so that somebody is refused; nothing in it refuses nobody."""
    with pytest.raises(UnreadableFile, match=r"holds no .*\.crl"):
        read_revocation_files(tmp_path)


def test_a_revocation_list_may_be_longer_than_a_certificate(tmp_path):
    (tmp_path / "a.crl").write_bytes(b"x" * (SIZE_LIMIT + 1))

    (file,) = read_revocation_files(tmp_path / "a.crl")

    assert len(file.content) == SIZE_LIMIT + 1


def test_blanks_belong_to_a_passphrase(tmp_path):
    (tmp_path / "p").write_bytes(b" a b \n")

    assert read_passphrase(tmp_path / "p") == b" a b "


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"two\nlines\n", "more than one line"), (b"x" * 1024, "too long"), (b"\n", "is empty")],
)
def test_what_is_no_passphrase_is_refused_without_showing_it(tmp_path, content, said):
    (tmp_path / "p").write_bytes(content)

    with pytest.raises(UnreadableFile, match=said) as refusal:
        read_passphrase(tmp_path / "p")

    assert "lines\n" not in str(refusal.value)
    assert "xx" not in str(refusal.value)
