import os
import stat
import threading
from datetime import timedelta

import pytest

from pqproxy.identity.errors import CannotWrite, IdentityError
from pqproxy.identity.generations import CURRENT, earlier_generations, replace_together
from tests.support import pki


@pytest.fixture
def pair(tmp_path):
    (tmp_path / "a.crt").write_bytes(b"0")
    (tmp_path / "a.key").write_bytes(b"0")
    return tmp_path


def files(content):
    return {"a.crt": content, "a.key": content}


def seen(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}


def test_plain_files_become_links_with_the_new_content(pair):
    replace_together(pair, files(b"1"), pki.NOW)

    assert seen(pair) == {"a.crt": b"1", "a.key": b"1"}
    assert os.readlink(pair / "a.key") == f"{CURRENT}/a.key"


def test_files_that_are_not_replaced_stay_what_they_are(pair):
    (pair / "b.crt").write_bytes(b"b")

    replace_together(pair, files(b"1"), pki.NOW)
    (pair / "c.crt").write_bytes(b"c")  # put there later, as a plain file
    replace_together(pair, files(b"2"), pki.NOW)

    assert seen(pair) == {"a.crt": b"2", "a.key": b"2", "b.crt": b"b", "c.crt": b"c"}


def test_the_generation_before_is_kept_and_none_from_before_that(pair):
    """Readers that are at it finish; old keys do not pile up."""
    for number in range(1, 5):
        replace_together(pair, files(b"%d" % number), pki.NOW + timedelta(days=number))

    (before,) = earlier_generations(pair)
    assert (before / "a.key").read_bytes() == b"3"


def test_keys_that_are_new_are_for_their_owner_only(tmp_path):
    replace_together(tmp_path, files(b"1"), pki.NOW)

    paths = (tmp_path / "a.crt", tmp_path / "a.key")
    assert [stat.S_IMODE(path.stat().st_mode) for path in paths] == [0o644, 0o600]


def test_a_reader_that_resolves_the_link_once_never_meets_a_mismatch(pair):
    """The promise of the module, under as many changes as there is time for."""
    replace_together(pair, files(b"1"), pki.NOW)
    done = threading.Event()
    mismatches, reads = [], 0

    def change():
        for number in range(60):
            replace_together(pair, files(b"%d" % number), pki.NOW)
        done.set()

    writer = threading.Thread(target=change)
    writer.start()
    while not done.is_set():
        generation = (pair / CURRENT).resolve()
        try:
            read = {(generation / name).read_bytes() for name in ("a.crt", "a.key")}
        except FileNotFoundError:
            continue  # two changes in between: what was there is gone, never something else
        reads += 1
        mismatches += [read] if len(read) != 1 else []
    writer.join()

    assert reads
    assert mismatches == []


def test_the_visible_files_exist_at_every_moment_of_the_first_change(pair, monkeypatch):
    """Plain files are turned into links before anything changes, one at a time."""
    snapshots = []
    original = os.replace

    def observed(source, target):
        original(source, target)
        snapshots.append(seen(pair))

    monkeypatch.setattr("pathlib.Path.replace", lambda self, target: observed(self, target))
    replace_together(pair, files(b"1"), pki.NOW)

    assert len(snapshots) == 4  # ..data, two links, ..data
    assert all(len(set(snapshot.values())) == 1 for snapshot in snapshots)
    assert all(set(snapshot) >= {"a.crt", "a.key"} for snapshot in snapshots)


def test_a_failure_leaves_everything_as_it_was(pair, monkeypatch):
    replace_together(pair, files(b"1"), pki.NOW)
    before = sorted(path.name for path in pair.iterdir())

    def full(*_):
        raise IdentityError("no space")

    monkeypatch.setattr("pqproxy.identity.generations.write_new", full)
    with pytest.raises(IdentityError, match="no space"):
        replace_together(pair, files(b"2"), pki.NOW)

    assert sorted(path.name for path in pair.iterdir()) == before
    assert seen(pair) == {"a.crt": b"1", "a.key": b"1"}


def test_a_link_to_elsewhere_is_not_ours_to_replace(pair, tmp_path):
    (pair / "b.crt").symlink_to("/etc/ssl/b.crt")

    with pytest.raises(IdentityError, match=r"b\.crt is a link to /etc/ssl/b\.crt"):
        replace_together(pair, {"b.crt": b"1"}, pki.NOW)


def test_a_directory_that_is_not_there_is_an_error_that_names_it(tmp_path):
    with pytest.raises(CannotWrite, match="cannot replace files in"):
        replace_together(tmp_path / "missing", {"a.crt": b"1"}, pki.NOW)


def test_new_files_are_for_whom_the_old_ones_were(pair):
    """The proxy may run as somebody else, whose group may read the key."""
    pair.chmod(0o750)
    (pair / "a.key").chmod(0o640)

    for number in (b"1", b"2"):
        replace_together(pair, files(number), pki.NOW)

    assert stat.S_IMODE((pair / "a.key").stat().st_mode) == 0o640
    assert stat.S_IMODE((pair / CURRENT).stat().st_mode) == 0o750


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_new_files_are_of_whom_the_old_ones_were(pair):
    os.chown(pair / "a.key", 0, 65532)

    replace_together(pair, files(b"1"), pki.NOW)

    assert (pair / "a.key").stat().st_gid == 65532
