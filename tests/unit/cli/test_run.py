import stat

import pytest

from pqproxy.cli import run as command
from pqproxy.cli.errors import CommandError
from pqproxy.cli.main import main
from pqproxy.config.values import Settings

EMPTY = Settings((), (), (), ())


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text(
        "version: 1\negress: [{name: x, listen: '127.0.0.1:1', connect: ['h:1'], trust: m}]\n"
    )
    return path


def test_nothing_starts_from_a_file_with_mistakes(supervised, config, capsys):
    assert main(["run", "-c", str(config)]) == 2
    assert supervised == []
    assert capsys.readouterr().err == f"{config}:2:68: egress.0.trust: there is no m under trust\n"


def test_the_key_log_is_for_the_owner_only_and_loud(tmp_path, capsys):
    path = tmp_path / "keys.log"

    settings = command.with_keylog(EMPTY, path)

    assert settings.keylog == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert capsys.readouterr().err.count("WARNING") == 2


def test_a_key_log_keeps_what_is_there(tmp_path):
    path = tmp_path / "keys.log"
    path.write_text("earlier\n")

    command.with_keylog(EMPTY, path)

    assert path.read_text() == "earlier\n"


def test_a_key_log_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(CommandError, match=r"--keylog: .* cannot be written: No such file"):
        command.with_keylog(EMPTY, tmp_path / "no" / "keys.log")


def test_there_is_no_key_log_unless_asked_for(supervised, tmp_path, monkeypatch):
    monkeypatch.setattr("pqproxy.cli.loading.load_config", lambda path: Loaded())

    assert main(["-c", "x"]) == 0
    assert supervised == [EMPTY]


class Loaded:
    def settings(self):
        return EMPTY


def test_landlock_is_turned_off_by_a_word(supervised, monkeypatch):
    monkeypatch.setattr("pqproxy.cli.loading.load_config", lambda path: Loaded())

    assert main(["-c", "x", "--no-landlock"]) == 0
    assert [settings.landlock for settings in supervised] == [False]
