"""liboqs-python without its library among traps: left alone it would clone, build and exit."""

import importlib.metadata
import json
import os
import subprocess
import sys

import pytest

from tests.support.sidecars import free_port, ingress
from tests.support.waiting import wait_until

TRAPS = ("gcc", "cc", "clang", "ld", "ldconfig", "git", "cmake", "make", "ninja", "sh", "objdump")


@pytest.fixture
def trapped(tmp_path):
    """The environment of a process that finds no library, and a program under every name."""
    try:
        importlib.metadata.distribution("liboqs-python")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("liboqs-python is not installed")
    (tmp_path / "bin").mkdir()
    for name in TRAPS:
        trap = tmp_path / "bin" / name
        trap.write_text(f'#!/bin/sh\necho "$0 $@" >> {tmp_path}/sprung\nexit 1\n')
        trap.chmod(0o755)
    (tmp_path / "home").mkdir()
    (tmp_path / "empty").mkdir()
    yield {
        **os.environ,
        "PATH": str(tmp_path / "bin"),
        "HOME": str(tmp_path / "home"),
        "OQS_INSTALL_PATH": str(tmp_path / "empty"),
    }
    assert not (tmp_path / "sprung").exists(), (tmp_path / "sprung").read_text()
    assert list((tmp_path / "home").iterdir()) == []
    assert list((tmp_path / "empty").iterdir()) == []


@pytest.fixture
def write(tmp_path, certificates):
    def write(provider):
        document = ingress(certificates, f"127.0.0.1:{free_port()}", "127.0.0.1:9")
        path = tmp_path / "proxy.yaml"
        path.write_text(json.dumps(document | {"crypto": {"provider": provider}}))
        return str(path)

    return write


def pqproxy(*arguments):
    return [sys.executable, "-P", "-m", "pqproxy", *arguments]


def test_who_asks_for_the_library_is_told_where_it_was_looked_for(trapped, write):
    ended = subprocess.run(
        pqproxy("-c", write("liboqs")), env=trapped, capture_output=True, text=True, timeout=30
    )

    assert ended.returncode == 2
    assert "crypto.provider: no native liboqs library in " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_who_takes_the_best_there_is_is_served(trapped, write, tmp_path):
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(pqproxy("-c", write("auto")), env=trapped, stderr=log)
    try:

        def ready():
            assert process.poll() is None
            return "pqproxy is ready" in (tmp_path / "log").read_text()

        wait_until(ready, "ready", 20)
        process.terminate()
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()


def test_the_version_says_that_there_is_none(trapped):
    ended = subprocess.run(
        pqproxy("--version"), env=trapped, capture_output=True, text=True, timeout=30
    )

    assert ended.returncode == 0, ended.stderr
    assert "liboqs" in ended.stdout
