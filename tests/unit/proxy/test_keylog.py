import stat

import pytest

from pqproxy.proxy.keylog import open_key_log


def test_lines_are_appended_to_a_file_that_only_its_owner_reads(tmp_path):
    path = tmp_path / "keys"
    open_key_log(str(path))("FIRST 01 02")
    open_key_log(str(path))("SECOND 03 04")

    assert path.read_text() == "FIRST 01 02\nSECOND 03 04\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_path_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(OSError, match="missing"):
        open_key_log(str(tmp_path / "missing" / "keys"))


def test_a_file_that_was_open_to_others_is_closed_to_them(tmp_path):
    path = tmp_path / "keys"
    path.touch()
    path.chmod(0o644)

    open_key_log(str(path))

    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_full_disk_costs_secrets_and_no_connection(caplog):
    write = open_key_log("/dev/full")

    write("FIRST 01 02")
    write("SECOND 03 04")

    assert caplog.text.count("takes no more: No space left on device") == 1
    assert "01" not in caplog.text.partition("--keylog")[2]
