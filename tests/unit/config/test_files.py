import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from pqproxy.config.files import (
    SIZE_LIMIT,
    UnreadableFile,
    read_file,
    read_passphrase,
    read_revocation_files,
)
from tests.support import pki


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


@pytest.mark.parametrize("name", [None, b"llm"])
@pytest.mark.parametrize("kind", ["ecdsa-p256", "rsa-2048"])
def test_a_pkcs12_file_is_named_with_the_way_to_make_a_pem_of_it(tmp_path, kind, name):
    leaf = pki.root(kind).issue()
    content = pkcs12.serialize_key_and_certificates(
        name, leaf.key, leaf.certificate, None, NoEncryption()
    )
    (tmp_path / "llm.p12").write_bytes(content)

    with pytest.raises(UnreadableFile, match=r"llm\.p12 is a PKCS#12 file.* openssl pkcs12 -in"):
        read_file(tmp_path / "llm.p12")


def test_a_key_store_of_java_is_named(tmp_path):
    (tmp_path / "llm.jks").write_bytes(bytes.fromhex("feedfeed00000002") + bytes(100))

    with pytest.raises(UnreadableFile, match=r"a key store of Java, .*keytool -importkeystore"):
        read_file(tmp_path / "llm.jks")


@pytest.mark.parametrize("length", ["05", "8105", "820005", "83000005", "80"])
def test_a_pkcs12_file_is_known_whatever_its_length_takes(tmp_path, length):
    """Some tools write the indefinite form, which DER forbids."""
    (tmp_path / "a").write_bytes(bytes.fromhex(f"30{length}0201030500"))

    with pytest.raises(UnreadableFile, match=r"is a PKCS#12 file"):
        read_file(tmp_path / "a")


def test_other_der_is_left_to_whoever_knows_it(tmp_path):
    leaf = pki.root().issue()
    key = leaf.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    for content in (leaf.chain_der[0], key, pki.root("rsa-2048").certificate_der, b"0"):
        (tmp_path / "a.der").write_bytes(content)
        assert read_file(tmp_path / "a.der") == content


@pytest.mark.parametrize("content", [b"correct horse", b"correct horse\n", b"correct horse\r\n"])
def test_a_passphrase_is_a_line_without_its_break(tmp_path, content):
    """Editors add one, secrets of Kubernetes have none."""
    (tmp_path / "p").write_bytes(content)

    assert read_passphrase(tmp_path / "p") == b"correct horse"


def test_revocation_files_may_be_a_directory(tmp_path):
    """Beside the lists may stand the certificates of who signed them."""
    for name in ("b.crl", "a.pem", "README", "c.der", "d.crt", "e.CRL"):
        (tmp_path / name).write_bytes(name.encode())

    found = read_revocation_files(tmp_path)

    assert [file.content for file in found] == [b"a.pem", b"b.crl", b"c.der", b"d.crt", b"e.CRL"]
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


def test_a_missing_revocation_list_is_said_how_to_make(tmp_path):
    """The certificate beside it is what it is spelled like, and no list."""
    (tmp_path / "ca.crt").write_bytes(b"x")

    with pytest.raises(UnreadableFile, match=r"there is no .*/ca\.crl \(pqproxy certs crl makes"):
        read_revocation_files(tmp_path / "ca.crl")


@pytest.mark.parametrize("name", ["a/b.crl", "a\0b.crl"])
def test_a_revocation_list_that_cannot_be_looked_for_is_named(tmp_path, name):
    (tmp_path / "a").write_bytes(b"x")

    with pytest.raises(UnreadableFile, match="cannot be read"):
        read_revocation_files(tmp_path / name)
