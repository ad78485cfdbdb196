"""What keeps a sidecar from starting is said in full, and nothing listens meanwhile."""

import json
import os
import re
import subprocess
import sys
import time

import pytest

from tests.support.plain_server import echo, serving
from tests.support.processes import LISTEN, family, tcp_sockets
from tests.support.sidecars import egress, free_port, ingress

USAGE = 2
FAILURE = 1


def run(config, **environment):
    """Run a configuration that must not start; return how it ended."""
    return subprocess.run(
        [sys.executable, "-P", "-m", "pqproxy", "-c", str(config)],
        capture_output=True,
        text=True,
        timeout=20,
        env=os.environ | environment,
    )


def write(path, document):
    path.write_text(json.dumps(document, indent=2) if isinstance(document, dict) else document)
    return path


MISTAKES = """\
version: 1
workers: 0
identities:
  own: {certificate: missing.crt, key: missing.key}
ingress:
  - name: llm
    listen: "127.0.0.1:99999"
    forward: 10.0.0.7:8000
    identities: [own]
    client_auth: reqire
    polcy: require
egress:
  - name: llm
    listen: 127.0.0.1:9000
    connect: [llm.test:8443]
    trust: nowhere
    timeouts: {idle: 5}
"""


def test_every_mistake_of_a_file_has_its_line_and_column(tmp_path):
    ended = run(write(tmp_path / "proxy.yaml", MISTAKES))

    assert ended.returncode == USAGE
    lines = ended.stderr.splitlines()
    assert len(lines) >= 9
    assert all(re.match(r"\S*proxy\.yaml:\d+:\d+: ", line) for line in lines), ended.stderr
    assert "did you mean policy" in ended.stderr


def test_a_policy_in_the_environment_that_nobody_knows_is_no_policy(tmp_path, certificates):
    """It is meant to weaken or to demand something: going on without it would be a guess."""
    document = ingress(certificates, f"127.0.0.1:{free_port()}", "127.0.0.1:8000")

    ended = run(write(tmp_path / "proxy.yaml", document), FALLBACK_CRYPTO="allowed")

    assert ended.returncode == USAGE
    said = "environment: FALLBACK_CRYPTO: allowed is not enabled or disabled\n"
    assert ended.stderr == said


def test_nothing_listens_when_one_of_many_listeners_is_wrong(tmp_path, certificates):
    port = free_port()
    document = ingress(certificates, f"127.0.0.1:{port}", "127.0.0.1:8000")
    document["ingress"].append({"name": "broken", "listen": "nonsense"})
    config = write(tmp_path / "proxy.yaml", document)
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "pqproxy", "-c", str(config)], stderr=subprocess.DEVNULL
    )

    listened = []
    while process.poll() is None:
        listened += tcp_sockets(family(process.pid), LISTEN)
        time.sleep(0.01)

    assert process.returncode == USAGE
    assert not listened


def test_a_port_in_use_is_named_with_its_listener(tmp_path, certificates):
    with serving(echo) as occupant:
        document = ingress(certificates, occupant.forward, "127.0.0.1:8000")

        ended = run(write(tmp_path / "proxy.yaml", document))

    assert ended.returncode == FAILURE
    assert "llm" in ended.stderr
    assert occupant.forward in ended.stderr
    assert "in use" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_a_second_instance_does_not_share_the_port(sidecars, certificates, tmp_path, workers):
    """With two workers the port is shared, but not with a stranger of the same user."""
    with serving(echo) as server:
        document = ingress(certificates, f"127.0.0.1:{free_port()}", server.forward)
        document["workers"] = workers
        first = sidecars.start("first", document).wait_until_ready()
        document = first.document | {"health": {"listen": f"127.0.0.1:{free_port()}"}}

        ended = run(write(tmp_path / "proxy.yaml", document))

    assert ended.returncode == FAILURE
    assert f"{first.listen} is in use" in ended.stderr
    if os.geteuid() == 0:  # others may not look into a process that cannot be traced
        assert f"process {first.process.pid} (" in ended.stderr


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (lambda files: files | {"key": files["other"]}, "key"),
        (lambda files: files | {"certificate": files["text"]}, "text.pem"),
        (lambda files: files | {"key": "/nonexistent.key"}, "/nonexistent.key"),
    ],
    ids=["key of another certificate", "not a certificate", "missing key"],
)
def test_an_identity_that_cannot_work_is_named(tmp_path, certificates, broken, reason):
    document = egress(certificates, f"127.0.0.1:{free_port()}", "localhost:8443")
    text = tmp_path / "text.pem"
    text.write_text("not a certificate\n")
    files = broken(
        document["identities"]["own"]
        | {"other": certificates.entry("server")["key"], "text": str(text)}
    )
    document["identities"]["own"] = {name: files[name] for name in ("certificate", "key")}

    ended = run(write(tmp_path / "proxy.yaml", document))

    assert ended.returncode == USAGE
    assert reason in ended.stderr
    assert "own" in ended.stderr
    assert "Traceback" not in ended.stderr
