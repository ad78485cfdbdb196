import pytest

from pqproxy.supervisor.mounts import mounted_alone

LINE = "36 35 98:0 /volumes/x {point} rw,noatime master:1 - ext4 /dev/root rw,errors=continue\n"


@pytest.fixture
def table(tmp_path):
    """What the kernel tells of mounts."""
    path = tmp_path / "mountinfo"

    def write(*points):
        path.write_text("".join(LINE.format(point=point) for point in ("/", *points)))
        return path

    return write


def test_a_file_that_is_a_mount_point_is_named(table, tmp_path):
    alone, beside = tmp_path / "tls.crt", tmp_path / "tls.key"
    for file in (alone, beside):
        file.write_text("")

    assert list(mounted_alone([str(alone), str(beside)], table(alone))) == [str(alone)]


def test_a_link_to_such_a_file_is_named_as_the_configuration_names_it(table, tmp_path):
    alone, link = tmp_path / "with blank.crt", tmp_path / "tls.crt"
    alone.write_text("")
    link.symlink_to(alone)
    mounted = table(str(alone).replace(" ", "\\040"))

    assert list(mounted_alone([str(link)], mounted)) == [str(link)]


def test_a_directory_that_is_a_mount_point_is_as_it_should_be(table, tmp_path):
    (tmp_path / "tls.crt").write_text("")

    assert list(mounted_alone([str(tmp_path), str(tmp_path / "tls.crt")], table(tmp_path))) == []


def test_without_proc_nothing_is_claimed(tmp_path):
    assert list(mounted_alone([str(tmp_path)], tmp_path / "missing")) == []
