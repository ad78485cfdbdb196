"""What the image promises, as far as it shows without docker: its steps, its user, its root."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from pqproxy.landlock import landlock_abi
from pqproxy.version import VERSION
from tests.support.dockerfile import command, copied, stages
from tests.support.sidecars import free_port, ingress
from tests.support.waiting import wait_until
from tests.support.wheels import ROOT

BUILD, FINAL = stages()


def test_both_stages_have_the_base_that_was_chosen():
    """An environment works with the Python that it was made with only."""
    text = (ROOT / "Dockerfile").read_text()

    assert re.search(r"^ARG BASE=python:3\.\d+-slim$", text, re.MULTILINE)
    assert BUILD.base == "${BASE} AS build"
    assert FINAL.base == "${BASE}"


def test_nothing_runs_or_is_compiled_in_the_final_image():
    assert FINAL.all("RUN") == []
    assert list(copied(FINAL)) == []
    words = {word for step in BUILD.all("RUN") for word in re.findall(r"[\w.-]+", step)}
    assert not words & {"apt-get", "apk", "gcc", "cc", "make", "cargo", "curl"}


def test_versions_are_those_that_were_tested_and_no_index_is_asked_twice():
    wheels, install, _ = BUILD.all("RUN")

    assert "--constraint requirements/constraints.txt" in wheels
    assert "--no-index" in install


def test_it_runs_as_nobody_in_particular():
    assert FINAL.last("USER") == "65532:65532"
    assert [step for step in FINAL.all("COPY") if "--chown" in step] == [
        "--from=build --chown=65532:65532 /empty /run/pqproxy"
    ]


def test_what_is_copied_is_there_and_not_ignored():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()

    assert ignored[1] == "*", "what is not named stays out"
    for source, _ in copied(BUILD):
        assert (ROOT / source).exists()
        assert f"!{source}" in [line.rstrip("/") for line in ignored]
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["readme"] == "README.md"


def test_the_comments_name_the_version_that_there_is():
    for file in ("Dockerfile", "k8s/sidecar.yaml"):
        assert f"pqproxy:{VERSION}" in (ROOT / file).read_text()


# The kernel lets nothing be written but one directory, as a read-only root with a tmpfs does.
READ_ONLY = """
import os, sys
from pqproxy.landlock import Confinement, confine
confine(Confinement(writable=("/dev/null",), sockets=(sys.argv[1],)))
os.execv(sys.executable, [sys.executable, "-P", "-m", "pqproxy", *sys.argv[2:]])
"""


@pytest.mark.skipif(landlock_abi() == 0, reason="this kernel has no Landlock to play the root with")
def test_a_read_only_root_is_enough(tmp_path, certificates):
    run = tmp_path / "run"
    run.mkdir()
    document = ingress(certificates, f"127.0.0.1:{free_port()}", "127.0.0.1:9")
    document["control"] = {"listen": f"unix:{run}/control.sock"}
    config = tmp_path / "proxy.yaml"
    config.write_text(json.dumps(document))
    entry = command(FINAL.last("CMD"))
    assert entry == ["-c", "/etc/pqproxy/proxy.yaml"]
    process = subprocess.Popen(
        [sys.executable, "-c", READ_ONLY, str(run), entry[0], str(config)],
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        check = command(FINAL.last("HEALTHCHECK"))
        assert check[:3] == ["pqproxy", "status", "-q"]

        def healthy():
            assert process.poll() is None, process.stderr.read()
            asked = [sys.executable, "-P", "-m", *check[:-1], str(config)]
            return subprocess.run(asked, timeout=20).returncode == 0

        wait_until(healthy, "healthy", 20)
        process.terminate()
        assert process.wait(10) == 0
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
    assert list(run.iterdir()) == []


@pytest.mark.skipif(shutil.which("docker") is None, reason="no docker on PATH")
def test_docker_takes_the_file():
    if subprocess.run(["docker", "info"], capture_output=True, timeout=30).returncode:
        pytest.skip("docker is here, and no daemon that it reaches")
    base = re.search(r"^ARG BASE=(\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[1]
    inspect = ["docker", "image", "inspect", base]
    if subprocess.run(inspect, capture_output=True, timeout=30).returncode:
        pytest.skip(f"docker has no image {base} here")
    build = ["docker", "build", "--quiet", "--tag", "pqproxy:test", str(ROOT)]
    subprocess.run(build, check=True, timeout=110, env={**os.environ, "DOCKER_BUILDKIT": "1"})
