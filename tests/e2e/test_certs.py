"""`pqproxy certs` as people use it, up to a pair of sidecars that talk with the result."""

import re
import shlex
import shutil
import socket
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from pqproxy.cli.main import main
from tests.support.plain_server import echo, serving
from tests.support.sidecars import Sidecar, free_port
from tests.support.waiting import wait_until

DOCUMENT = Path(__file__).parents[2] / "docs" / "authority.md"
HYBRID = "mldsa65_ecdsa_p256"  # as the log calls the signature
HYBRID_KEY = "mldsa65-ecdsa-p256"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run a command line in the directory of the test."""
    monkeypatch.chdir(tmp_path)

    def run(line):
        program, *arguments = shlex.split(line, comments=True)
        assert program == "pqproxy"
        assert main(arguments) == 0, line

    return run


@pytest.fixture
def start(tmp_path):
    """Start sidecars with configurations that lie where the certificates do."""
    running = []

    def start(name, document):
        document["health"] = {"listen": f"127.0.0.1:{free_port()}"}
        document["log"] = {"format": "json"}
        running.append(Sidecar(tmp_path, name, document))
        return running[-1]

    yield start
    for sidecar in running:
        try:
            sidecar.stop()
        finally:
            sidecar.kill()


def chapter(title):
    """The commands and the configurations of a chapter of the document."""
    text = DOCUMENT.read_text().partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    commands = re.findall(r"^\$ (.+)$", text, re.MULTILINE)
    documents = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", text, re.S)]
    return commands, documents


def connect(start, ingress, egress, forward):
    """Start a pair with other addresses than those that people see."""
    front, beside = (f"127.0.0.1:{free_port()}" for _ in range(2))
    ingress["ingress"][0] |= {"listen": front, "forward": forward}
    egress["egress"][0] |= {"listen": beside, "connect": [front]}
    pair = start("ingress", ingress), start("egress", egress)
    for sidecar in pair:
        sidecar.wait_until_ready()
    return pair


def exchange(egress):
    host, _, port = egress.listen.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        connection.sendall(b"hi")
        connection.shutdown(socket.SHUT_WR)
        return connection.recv(100)


def test_the_recipe_of_several_zones_works_as_it_is_written(run, start):
    """Two authorities, one bundle: what people copy, run."""
    commands, (ingress, egress) = chapter("Several zones, one bundle")
    for command in commands:
        run(command)

    with serving(echo) as server:
        front, beside = connect(start, ingress, egress, server.forward)
        assert exchange(beside) == b"hi"
        (line,) = front.wait_for("connection")

    assert line["identity"] == "spiffe://b.corp/apps/app"
    assert (line["signature"], line["peer_signature"]) == (HYBRID, HYBRID)


def test_the_roll_over_of_a_root_works_as_it_is_written(run, tmp_path):
    run("pqproxy certs init --trust-domain corp")
    for command in chapter("From one root to the next")[0]:
        run(command)
        if command.startswith("pqproxy certs bundle roots.pem --dir next"):
            assert (tmp_path / "roots.pem").read_bytes().count(b"BEGIN") == 4  # old and new

    new = [tmp_path / "next" / "ca" / kind / "ca.crt" for kind in (HYBRID_KEY, "ecdsa-p256")]
    assert (tmp_path / "roots.pem").read_bytes() == b"".join(path.read_bytes() for path in new)


def test_who_has_a_key_of_its_own_is_served_through_renewals_until_revoked(run, start, tmp_path):
    """init, issue, csr, sign and bundle; then renew and revoke under a pair that talks."""
    run("pqproxy certs init --trust-domain corp")
    run("pqproxy certs issue llm --spiffe spiffe://corp/llm")
    run("pqproxy certs csr app --dir there --spiffe spiffe://corp/app")
    run("pqproxy certs sign app.csr")
    for path in (tmp_path / "certs" / "leaf" / "app").iterdir():
        shutil.copy(path, tmp_path / "there" / "leaf" / "app")
    run("pqproxy certs bundle roots.pem")
    run("pqproxy certs crl")

    def document(leaf, role, **entry):
        base = f"{leaf}/{HYBRID_KEY}"
        listener = {
            "name": role,
            "identities": ["own"],
            "trust": "corp",
            "authentication": "hybrid",
        }
        return {
            "version": 1,
            "identities": {"own": {"certificate": f"{base}.crt", "key": f"{base}.key"}},
            "trust": {"corp": {"roots": ["roots.pem"], "crl": [f"certs/ca/{HYBRID_KEY}/ca.crl"]}},
            role: [listener | entry],
        }

    ingress = document("certs/leaf/llm", "ingress", allow=["spiffe://corp/app"])
    egress = document("there/leaf/app", "egress", expect=["spiffe://corp/llm"])
    with serving(echo) as server:
        front, beside = connect(start, ingress, egress, server.forward)
        assert exchange(beside) == b"hi"

        def taken(count):
            wait_until(lambda: front.log().count("reloaded on") >= count, f"{count} reloads", 20)

        for number in (1, 2):  # plain files become links, then one link changes
            run("pqproxy certs renew llm")
            taken(number)
            assert exchange(beside) == b"hi"

        carried = front.wait_for("connection", 3)
        run("pqproxy certs revoke app --reason key-compromise")
        taken(3)
        with suppress(ConnectionResetError):
            assert exchange(beside) == b""
        refused, *_ = front.wait_for("refused")  # whoever dials asks again and again

    assert refused["reason"] == "revoked"
    assert {line["signature"] for line in carried} == {HYBRID}
