"""The wheel works outside the clone: installed offline into an empty environment."""

import os
import subprocess
import sys

import pytest

from tests.support.wheels import PIP, build, repack_dependencies


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment that has our wheel and what it requires, no extras, made without an index."""
    directory = tmp_path_factory.mktemp("wheel")
    wheel = build(directory)
    repack_dependencies("pqproxy", directory / "wheels")
    environment = directory / "environment"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    install = ["--isolated", "--python", environment / "bin/python", "install", "--quiet"]
    offline = ["--no-index", "--find-links", directory / "wheels"]
    subprocess.run([*PIP, *install, *offline, wheel], check=True, timeout=120)
    return environment


def run(environment, directory, *arguments):
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTHON", "VIRTUAL"))
    }
    return subprocess.run(
        [environment / "bin/pqproxy", *arguments],
        capture_output=True,
        text=True,
        cwd=directory,
        env=clean | {"TMPDIR": str(directory)},
        timeout=60,
    )


def test_the_demo_runs_without_its_extra_and_says_so(environment, tmp_path):
    ended = run(environment, tmp_path, "demo")

    assert ended.returncode == 0, ended.stderr
    assert "embedded token server" in ended.stdout
    assert "pip install 'pqproxy[demo]'" in ended.stdout
    assert "X25519MLKEM768" in ended.stdout
    assert list(tmp_path.iterdir()) == []


def test_it_brings_its_version_and_its_type_marker(environment, tmp_path):
    ended = run(environment, tmp_path, "--version")

    assert ended.returncode == 0
    assert ended.stdout.startswith("pqproxy ")
    assert list(environment.glob("lib/*/site-packages/pqproxy/py.typed"))
