import os

import pytest

from pqproxy.config.files import REVOCATION_SIZE_LIMIT
from pqproxy.supervisor.fingerprint import fingerprint, read_once, watched_directories


@pytest.fixture
def secret(tmp_path):
    """A secret as Kubernetes mounts it: a link for each file, and one for all of them."""
    mount = tmp_path / "secret"
    (mount / "..first").mkdir(parents=True)
    (mount / "..first" / "tls.crt").write_text("first")
    (mount / "..data").symlink_to("..first")
    (mount / "tls.crt").symlink_to("..data/tls.crt")
    return mount


def test_a_changed_content_is_another_fingerprint_and_a_touched_file_is_not(tmp_path):
    file = tmp_path / "tls.crt"
    file.write_text("first")
    before = fingerprint([str(file)])
    os.utime(file, (1, 1))
    file.chmod(0o600)

    assert fingerprint([str(file)]) == before
    file.write_text("other")
    assert fingerprint([str(file)]) != before


def test_the_end_of_the_longest_file_that_is_read_counts(tmp_path):
    """Revocation lists may be long, and several may stand in one file: the last may be new."""
    long = tmp_path / "mesh.crl"
    with long.open("wb") as stream:
        stream.truncate(REVOCATION_SIZE_LIMIT)
    before = fingerprint([str(long)])

    with long.open("r+b") as stream:
        stream.seek(-1, os.SEEK_END)
        stream.write(b"!")

    assert fingerprint([str(long)]) != before


def test_contents_that_change_places_are_another_fingerprint(tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_text("1")
    second.write_text("2")
    before = fingerprint([str(first), str(second)])
    first.write_text("2")
    second.write_text("1")

    assert fingerprint([str(first), str(second)]) != before


def test_the_swap_of_a_link_above_a_file_is_another_fingerprint(secret):
    file = str(secret / "tls.crt")
    before = fingerprint([file])
    (secret / "..second").mkdir()
    (secret / "..second" / "tls.crt").write_text("second")
    (secret / "..new").symlink_to("..second")
    (secret / "..new").rename(secret / "..data")

    assert fingerprint([file]) != before


def test_a_file_that_comes_into_a_directory_of_roots_or_leaves_it_counts(tmp_path):
    (tmp_path / "a.pem").write_text("a")
    (tmp_path / "deeper").mkdir()
    before = fingerprint([str(tmp_path)])
    (tmp_path / "b.pem").write_text("a")
    both = fingerprint([str(tmp_path)])
    (tmp_path / "a.pem").unlink()

    assert len({before, both, fingerprint([str(tmp_path)])}) == 3


def test_a_file_that_is_missing_differs_from_an_empty_one_and_returns_as_it_was(tmp_path):
    file = tmp_path / "tls.crt"
    missing = fingerprint([str(file)])
    file.write_text("")
    empty = fingerprint([str(file)])
    file.unlink()

    assert missing != empty
    assert fingerprint([str(file)]) == missing


def test_the_directory_of_a_plain_file_is_watched(tmp_path):
    (tmp_path / "tls.crt").write_text("")

    assert watched_directories([str(tmp_path / "tls.crt")]) == {str(tmp_path)}


def test_a_directory_of_roots_is_watched_itself(tmp_path):
    assert watched_directories([str(tmp_path)]) == {str(tmp_path)}


def test_every_directory_with_a_link_on_the_way_is_watched(secret):
    """`..data` stands in the one, the files of today in the other."""
    assert watched_directories([str(secret / "tls.crt")]) == {
        str(secret),
        str(secret / "..first"),
    }


def test_of_a_directory_that_is_named_links_are_followed_too(secret, tmp_path):
    """Who names the secret as a whole hears as much as who names its files."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (secret / "directory").symlink_to(elsewhere)  # nothing of it is read

    assert watched_directories([str(secret)]) == {str(secret), str(secret / "..first")}


def test_links_that_climb_and_absolute_ones_are_followed_as_the_kernel_does(tmp_path):
    """certbot: live/name/cert.pem -> ../../archive/name/cert1.pem, and live itself may be one."""
    archive = tmp_path / "store" / "archive" / "name"
    live = tmp_path / "store" / "live" / "name"
    archive.mkdir(parents=True)
    live.mkdir(parents=True)
    (archive / "cert1.pem").write_text("1")
    (live / "cert.pem").symlink_to("../../archive/name/cert1.pem")
    (tmp_path / "certificates").symlink_to(tmp_path / "store" / "live")
    named = tmp_path / "certificates" / "name" / "cert.pem"

    assert watched_directories([str(named)]) == {str(tmp_path), str(live), str(archive)}


def test_where_a_directory_is_missing_the_nearest_one_above_is_watched(tmp_path):
    assert watched_directories([str(tmp_path / "not" / "yet" / "tls.crt")]) == {str(tmp_path)}


def test_links_in_a_circle_come_to_an_end(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    assert watched_directories([str(tmp_path / "a")]) == {str(tmp_path)}
    assert fingerprint([str(tmp_path / "a")])


def test_the_fingerprint_of_a_pipe_waits_for_no_writer(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert fingerprint([str(tmp_path / "pipe")])


def test_a_pipe_can_be_read_once_and_files_and_directories_again(tmp_path):
    (tmp_path / "tls.crt").write_text("")
    os.mkfifo(tmp_path / "pipe")
    named = [str(tmp_path / name) for name in ("tls.crt", "pipe", "missing")]

    assert list(read_once([*named, str(tmp_path)])) == [str(tmp_path / "pipe")]
