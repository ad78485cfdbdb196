import os
from pathlib import Path

import pytest

from pqproxy.config.files import UnreadableFile
from pqproxy.config.layouts import (
    LAYOUTS,
    key_beside,
    key_path,
    read_named,
    read_pair,
    read_roots,
)

CERTIFICATE = b"-----BEGIN CERTIFICATE-----\n"
KEY = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
SECRET, SPIFFE = LAYOUTS


@pytest.fixture
def write(tmp_path):
    def write(*names):
        for name in names:
            (tmp_path / name).write_bytes(f"content of {name}".encode())
        return tmp_path

    return write


def refusal_of(read, path):
    with pytest.raises(UnreadableFile) as refusal:
        read(path)
    return str(refusal.value)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.certificate)
def test_a_directory_is_read_as_its_writer_left_it(layout, write):
    directory = write(layout.certificate, layout.key, layout.roots, "README")

    pair = read_pair(directory)

    assert pair.certificate == f"content of {layout.certificate}".encode()
    assert pair.key == f"content of {layout.key}".encode()
    assert pair.source == f": {layout.certificate} with {layout.key}"
    assert key_path(directory, None) == directory / layout.key
    assert read_roots(directory) == (f"content of {layout.roots}".encode(),)


def test_a_pair_does_not_print_its_key(write):
    assert "content" not in repr(read_pair(write("tls.crt", "tls.key")))


def test_one_file_may_hold_certificate_and_key(tmp_path):
    path = tmp_path / "both.pem"
    path.write_bytes(KEY + CERTIFICATE)

    pair = read_pair(path)

    assert pair.certificate == pair.key == KEY + CERTIFICATE
    assert pair.source == ""
    assert key_path(path, None) == path


@pytest.mark.parametrize(
    ("name", "beside"),
    [("tls.crt", "tls.key"), ("svid.pem", "svid_key.pem"), ("leaf.pem", "leaf.key")],
)
def test_a_key_that_lies_beside_is_proposed(name, beside, write):
    directory = write(name)
    assert key_beside(directory / name) is None
    assert "did you mean" not in refusal_of(read_pair, directory / name)

    write(beside)

    said = refusal_of(read_pair, directory / name)
    assert said.endswith(f"holds no private key, and no other file is named, did you mean "
                         f"{directory / beside}")  # fmt: skip


def test_a_key_file_does_not_lie_beside_itself(write):
    assert key_beside(write("a.key") / "a.key") is None


@pytest.mark.parametrize("missing", ["tls.crt", "tls.key"])
def test_half_a_secret_names_the_missing_half(missing, write):
    directory = write("tls.crt", "tls.key")
    (directory / missing).unlink()

    assert f"there is no {directory / missing}" in refusal_of(read_pair, directory)


def test_a_directory_with_neither_is_named(write):
    said = refusal_of(read_pair, write("leaf.crt"))

    assert "holds neither tls.crt (a Kubernetes TLS secret) nor svid.pem (spiffe-helper)" in said
    assert "name the files" in said


@pytest.mark.parametrize("read", [read_pair, read_roots])
def test_a_directory_with_both_is_ambiguous(read, write):
    said = refusal_of(read, write("tls.crt", "tls.key", "svid.pem", "svid_key.pem"))

    assert said.endswith("holds tls.crt and svid.pem: name the files that are meant")


def test_a_directory_beside_the_name_of_a_key_is_refused(write):
    assert "leave key out" in refusal_of(read_named, write("tls.crt", "tls.key"))


@pytest.mark.parametrize("read", [read_pair, read_named, read_roots])
def test_what_we_may_not_enter_is_named_and_no_crash(read, tmp_path, monkeypatch):
    """Root may enter everything, so the answer of the kernel is played."""
    path = tmp_path / "secret" / "tls"

    def refuse(self, *_, **__):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "stat", refuse)
    monkeypatch.setattr(Path, "open", refuse)

    assert f"{path} cannot be read: user {os.geteuid()} may not read it" in refusal_of(read, path)
    assert key_beside(path) is None


@pytest.mark.parametrize("read", [read_pair, read_roots])
def test_a_directory_that_we_may_not_enter_is_named(read, write, monkeypatch):
    directory = write("tls.crt", "tls.key", "ca.crt")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.X_OK)

    assert f"user {os.geteuid()} may not enter it" in refusal_of(read, directory)


def test_a_named_key_is_the_one(tmp_path):
    assert key_path(tmp_path / "a.crt", tmp_path / "b.key") == tmp_path / "b.key"


def test_roots_may_be_a_directory(write):
    directory = write("b.pem", "a.crt", "README", "c.cer")

    assert read_roots(directory) == (b"content of a.crt", b"content of b.pem", b"content of c.cer")


def test_a_directory_of_roots_may_have_the_names_of_a_secret(write):
    """Where there is no leaf, nothing is left out."""
    assert len(read_roots(write("ca.crt", "other.crt"))) == 2


def test_a_directory_without_roots_is_refused(tmp_path):
    assert "holds no .cer, .crt or .pem file" in refusal_of(read_roots, tmp_path)


def test_a_secret_without_an_authority_is_refused(write):
    """The issuer is a public one: its leaf must not be taken for a root."""
    said = refusal_of(read_roots, write("tls.crt", "tls.key"))

    assert "has the files of a Kubernetes TLS secret, but no ca.crt" in said
