import os
import stat
import threading

import pytest

from pqproxy.identity.errors import CannotWrite, IdentityError
from pqproxy.identity.files import (
    KEY_MODE,
    locked,
    make_directory,
    read,
    replace,
    write_new,
    write_pair,
)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture(autouse=True)
def _open_umask():
    """With an open umask only our own modes protect anything."""
    before = os.umask(0)
    yield
    os.umask(before)


def test_missing_directories_are_for_the_owner_only(tmp_path):
    make_directory(tmp_path / "a" / "b")

    assert (mode(tmp_path / "a"), mode(tmp_path / "a" / "b")) == (0o700, 0o700)


def test_an_existing_directory_keeps_its_mode(tmp_path):
    (tmp_path / "a").mkdir(0o755)

    make_directory(tmp_path / "a" / "b")

    assert mode(tmp_path / "a") == 0o755


def test_a_file_where_a_directory_should_be_is_an_error(tmp_path):
    (tmp_path / "a").write_text("")

    with pytest.raises(IdentityError, match="cannot make"):
        make_directory(tmp_path / "a" / "b")


def test_a_new_file_has_its_mode_and_nothing_lies_beside_it(tmp_path):
    write_new(tmp_path / "ca.key", b"secret", KEY_MODE)

    assert (tmp_path / "ca.key").read_bytes() == b"secret"
    assert mode(tmp_path / "ca.key") == 0o600
    assert os.listdir(tmp_path) == ["ca.key"]


@pytest.mark.parametrize("target", ["file", "dangling"])
def test_nothing_is_overwritten_not_even_through_a_link(tmp_path, target):
    path = tmp_path / "ca.key"
    if target == "file":
        path.write_bytes(b"old")
    else:
        path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(IdentityError, match="exists and is never overwritten"):
        write_new(path, b"new", KEY_MODE)

    assert os.listdir(tmp_path) == ["ca.key"]
    assert target == "dangling" or path.read_bytes() == b"old"


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CannotWrite, match=r"cannot write .*ca\.key: No such file"):
        write_new(tmp_path / "missing" / "ca.key", b"", KEY_MODE)


def test_a_pair_is_written_whole(tmp_path):
    write_pair((tmp_path / "a.key", b"key"), (tmp_path / "a.crt", b"certificate"))

    assert (mode(tmp_path / "a.key"), mode(tmp_path / "a.crt")) == (0o600, 0o644)


@pytest.mark.parametrize("taken", ["a.key", "a.crt"])
def test_a_pair_is_not_written_when_one_name_is_taken(tmp_path, taken):
    (tmp_path / taken).write_bytes(b"old")

    with pytest.raises(IdentityError, match=f"{taken} exists"):
        write_pair((tmp_path / "a.key", b"key"), (tmp_path / "a.crt", b"certificate"))

    assert os.listdir(tmp_path) == [taken]
    assert (tmp_path / taken).read_bytes() == b"old"


def test_a_key_whose_certificate_cannot_be_written_does_not_stay(tmp_path):
    """A lone key would block the next try and belong to nothing."""
    with pytest.raises(CannotWrite, match="cannot write"):
        write_pair((tmp_path / "a.key", b"key"), (tmp_path / "no" / "a.crt", b"certificate"))

    assert os.listdir(tmp_path) == []


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    with pytest.raises(IdentityError, match=r"cannot read .*a\.crt: No such file"):
        read(tmp_path / "a.crt")


def test_a_file_is_replaced_as_a_whole(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")
    before = path.stat().st_ino

    replace(path, b"new")

    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"new", [path])
    assert path.stat().st_ino != before  # another file, under the same name


def test_what_cannot_be_replaced_is_named_and_leaves_nothing_behind(tmp_path):
    path = tmp_path / "file"
    path.mkdir()

    with pytest.raises(CannotWrite, match=f"cannot write {path}"):
        replace(path, b"new")

    assert list(tmp_path.iterdir()) == [path]


def test_who_changes_a_directory_keeps_others_waiting(tmp_path):
    """Two revocations at once must not lose one."""
    order = []
    entered = threading.Event()

    def other():
        entered.set()
        with locked(tmp_path):
            order.append("other")

    with locked(tmp_path):
        thread = threading.Thread(target=other)
        thread.start()
        entered.wait()
        order.append("first")
    thread.join()

    assert order == ["first", "other"]
