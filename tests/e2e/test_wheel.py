"""The wheel works outside the clone, in the environment that the container image is made of."""

import os
import subprocess

import pytest

from tests.support.dockerfile import run_first_stage


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Our wheel and what it requires, no extras, installed without an index."""
    return run_first_stage(tmp_path_factory.mktemp("image")) / "opt/pqproxy"


def run(environment, directory, *arguments, **more):
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
        env=clean | {"TMPDIR": str(directory)} | more,
        timeout=60,
    )


def test_the_demo_runs_without_its_extra_without_programs_and_says_so(environment, tmp_path):
    """No compiler, no git, no ldconfig: nothing is looked for, built or fetched."""
    ended = run(environment, tmp_path, "demo", PATH="/nonexistent")

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


def test_it_has_no_pip_and_no_tests(environment):
    found = {path.name.partition("-")[0] for path in environment.glob("lib/*/site-packages/*")}

    assert "pqproxy" in found
    assert not found & {"pip", "setuptools", "wheel", "pytest", "tests", "bench"}
