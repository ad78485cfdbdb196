import json
import re
import stat

import pytest

from pqproxy.cli import run as command
from pqproxy.cli.errors import CommandError
from pqproxy.cli.main import main
from pqproxy.config.values import Settings
from pqproxy.supervisor.errors import ReloadFailure
from tests.support import pki

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
    monkeypatch.setattr("pqproxy.cli.waiting.load_when_there", lambda path: Loaded())

    assert main(["-c", "x"]) == 0
    assert supervised == [EMPTY]


class Loaded:
    def settings(self):
        return EMPTY


def test_landlock_is_turned_off_by_a_word(supervised, monkeypatch):
    monkeypatch.setattr("pqproxy.cli.waiting.load_when_there", lambda path: Loaded())

    assert main(["-c", "x", "--no-landlock"]) == 0
    assert [settings.landlock for settings in supervised] == [False]


def write(config, certificates, **changes):
    """A whole file, with one egress."""
    entry = {"name": "x", "listen": "127.0.0.1:1", "connect": ["h:1"], "trust": "m"}
    document = {
        "version": 1,
        "trust": {"m": {"roots": [str(certificates)]}},
        "egress": [entry],
        **changes,
    }
    config.write_text(json.dumps(document, indent=1))
    return config


@pytest.fixture
def roots(tmp_path):
    path = tmp_path / "roots.pem"
    path.write_bytes(pki.root("ecdsa-p256").certificate_pem)
    return path


def test_a_reload_reads_the_file_again(rereading, supervised, config, roots):
    assert main(["-c", str(write(config, roots))]) == 0
    write(config, roots, drain={"timeout": "1s"})

    assert rereading[0](supervised[0]).drain.timeout == 1.0


def test_a_renewal_reads_the_files_and_not_the_configuration(renewing, supervised, config, roots):
    """Which somebody may be editing, and has told nobody to take."""
    main(["-c", str(write(config, roots)), "--no-landlock"])
    assert supervised[0].files == (str(roots),)
    other = pki.root("ecdsa-p384").certificate_pem
    roots.write_bytes(other)
    config.write_text("half of a file that is being ed")
    renewed = renewing[0]()

    assert renewed.trust[0].roots == (other,)
    assert (renewed.files, renewed.landlock) == ((str(roots),), False)


def test_a_renewal_that_is_no_good_is_a_problem_at_its_place_in_the_configuration(
    renewing, config, roots
):
    main(["-c", str(write(config, roots))])
    roots.write_bytes(roots.read_bytes()[:-40])
    with pytest.raises(ReloadFailure) as failure:
        renewing[0]()

    (problem,) = failure.value.problems
    assert re.match(rf"{config}:\d+:\d+: trust\.m: {roots}: ", problem)


def test_what_the_command_line_said_holds_over_a_reload(
    rereading, supervised, config, roots, tmp_path
):
    """Else a reload would turn Landlock on and the key log off, or ask for a restart."""
    log = tmp_path / "keys.log"
    command_line = ["run", "-c", str(write(config, roots)), "--no-landlock", "--keylog", str(log)]
    assert main(command_line) == 0
    (in_force,) = supervised

    assert rereading[0](in_force) == in_force
    assert (in_force.landlock, in_force.keylog) == (False, str(log))


def test_every_mistake_of_a_file_is_a_problem_of_the_reload(rereading, supervised, config, roots):
    main(["-c", str(write(config, roots))])
    write(config, roots, workers=0, drain={"timeout": 5})
    with pytest.raises(ReloadFailure) as failure:
        rereading[0](supervised[0])

    assert len(failure.value.problems) == 2
    assert all(problem.startswith(f"{config}:") for problem in failure.value.problems)


def test_what_only_a_restart_can_change_is_named_with_its_place(
    rereading, supervised, config, roots
):
    main(["-c", str(write(config, roots))])
    write(config, roots, workers=3, health={"listen": "127.0.0.1:1234"})
    with pytest.raises(ReloadFailure) as failure:
        rereading[0](supervised[0])

    first, second = failure.value.problems
    assert re.match(rf"{config}:\d+:\d+: workers: restart needed: .* from 1$", first)
    assert re.match(rf"{config}:\d+:\d+: health.listen: restart needed: ", second)
