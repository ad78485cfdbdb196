"""Other systems, played by taking away what they lack."""

import os
import select
import subprocess
import sys

import pytest

from pqproxy.cli.errors import CommandError
from pqproxy.cli.machine import require_linux


def test_linux_will_do():
    require_linux()


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.delattr(select, "epoll")
    monkeypatch.delattr(os, "pidfd_open")

    with pytest.raises(CommandError, match="darwin has no epoll and no pidfd_open") as error:
        require_linux()

    assert "Linux container" in error.value.hint
    assert error.value.exit_code == 1


# Before anything of ours is imported: a name that is used at import would end in a traceback.
ELSEWHERE = """
import os, select, sys
for module in (select, os):
    for name in [name for name in dir(module) if name.lower().startswith(("epoll", "pidfd"))]:
        delattr(module, name)
from pqproxy.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


def elsewhere(*arguments):
    command = [sys.executable, "-c", ELSEWHERE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(
    "arguments", [("demo",), ("serve", "--to", "127.0.0.1:1", "--state-dir")], ids=["demo", "serve"]
)
def test_the_proxy_says_that_it_needs_linux(arguments, tmp_path):
    if arguments[-1] == "--state-dir":
        arguments = (*arguments, str(tmp_path))

    ended = elsewhere(*arguments)

    assert ended.returncode == 1
    assert ended.stderr.startswith("pqproxy: error: the proxy needs Linux: ")
    assert "has no epoll and no pidfd_open\nhint: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_what_runs_no_proxy_works_elsewhere(tmp_path):
    directory = str(tmp_path / "certs")

    for arguments in (
        ("certs", "init", "--dir", directory, "--trust-domain", "corp"),
        ("certs", "issue", "llm", "--dir", directory, "--spiffe", "spiffe://corp/llm"),
        ("config", "schema"),
        ("--version",),
    ):
        ended = elsewhere(*arguments)

        assert ended.returncode == 0, (arguments, ended.stderr)
