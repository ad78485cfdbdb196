"""The scripts are run by their own shells, where those are installed."""

import shutil
import subprocess

import pytest

from pqproxy.cli.completion_scripts import SCRIPTS
from pqproxy.cli.main import COMMANDS, build_parser
from pqproxy.cli.tree import command_tree

TREE = command_tree(build_parser(COMMANDS))


@pytest.fixture
def script(tmp_path):
    def write(shell):
        if shutil.which(shell) is None:
            pytest.skip(f"{shell} is not installed")
        path = tmp_path / f"pqproxy.{shell}"
        path.write_text(SCRIPTS[shell](TREE))
        return path

    return write


def completed(path, *words):
    """What bash offers after these words; the last one is being typed."""
    program = (
        'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pqproxy; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    command = ["bash", "--norc", "-uc", program, "bash", str(path), "pqproxy", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=path.parent)
    assert done.stderr == ""
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (("che",), ["check"]),
        (("certs", "i"), ["init", "issue"]),
        (("check", "--wa"), ["--wait"]),
        (("check", "-o", ""), ["text", "json"]),
        (("check", "--output", "=", "j"), ["json"]),
        (("check", "--output", "="), ["text", "json"]),
        (("check", "-c", "proxy.yaml", "--off"), ["--offline"]),
        (("certs", "issue", "--algorithm", "rsa"), ["rsa-2048"]),
        (("check", "--wait", ""), [""]),
        (("completion", "z"), ["zsh"]),
        (("-c", "proxy.yaml", "--no"), ["--no-landlock"]),
        (("serve", "--policy", "o"), ["observe"]),
    ],
)
def test_bash_offers_what_may_come_next(script, words, offered):
    assert completed(script("bash"), *words) == offered


def test_bash_offers_files_where_files_are_meant(script):
    """Spaces in their names too."""
    path = script("bash")
    (path.parent / "my proxy.yaml").touch()

    assert completed(path, "check", "-c", "my") == ["my proxy.yaml"]
    assert completed(path, "-c", "my") == ["my proxy.yaml"]
    assert completed(path, "certs", "show", "my") == ["my proxy.yaml"]


def test_bash_registers_the_command(script):
    program = f"source {script('bash')}; complete -p pqproxy"

    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout == "complete -F _pqproxy pqproxy\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_its_script(script, shell):
    subprocess.run([shell, "-n", str(script(shell))], check=True)


@pytest.mark.parametrize("shell", SCRIPTS)
def test_every_command_and_option_is_in_every_script(shell):
    text = SCRIPTS[shell](TREE)

    for command in TREE.walk():
        assert f'"{command.name}"' in text
        for option in command.options:
            for name in option.names:
                assert name.lstrip("-") in text
