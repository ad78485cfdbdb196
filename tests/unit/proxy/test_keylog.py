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
