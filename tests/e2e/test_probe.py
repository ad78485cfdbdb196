"""`pqproxy probe` as users type it, at servers of every kind."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import pki
from tests.support.openssl_cli import OpenSslProgram
from tests.support.peers import node_command
from tests.support.plain_server import serving
from tests.support.programs import Program, build_go, options
from tests.support.sidecars import free_port

INTEROP = Path(__file__).parent.parent / "interop"


def probe(address, *arguments):
    """Run it; returns the exit code and the document, or the words of the error."""
    command = [sys.executable, "-P", "-m", "pqproxy", "probe", address, "-o", "json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def test_our_own_ingress(standing):
    with standing.serving(lambda connection: connection.recv(1)) as server:
        found = is_understood(standing.ingress, standing.certificates, code=0)
        assert not server.accepted  # no question ever reached the model server

    assert found["downgradeable"] is False


def test_our_own_ingress_under_prefer(sidecars):
    ingress = sidecars.start_ingress("127.0.0.1:9", policy="prefer")

    assert is_understood(ingress, sidecars.certificates, code=3)["downgradeable"] is True


def is_understood(ingress, certificates, code):
    """What is found of an ingress, where all is right that does not depend on its policy."""
    demands = ("--require-pq-only", "--trust", certificates.root)
    returned, found = probe(ingress.listen, "--sni", "localhost", *demands)
    assert returned == code
    assert found["post_quantum"] == "negotiated"
    assert found["client_certificate"] == "required"
    assert found["certificate_verified"] is True
    assert found["hello_retry"]["hello_retry"] is True
    assert {found["split_segments"]["reply"], found["split_records"]["reply"]} == {"accepted"}
    return found


@pytest.mark.peer("openssl-cli")
@pytest.mark.parametrize(
    ("option", "protocol"), [((), "TLS 1.3"), (("-tls1_2",), "TLS 1.2")], ids=["1.3", "1.2"]
)
def test_openssl_without_post_quantum_groups(option, protocol, tmp_path):
    certificate, key = pki.root("rsa-2048").issue(dns=("localhost",)).write(tmp_path)
    where = f"127.0.0.1:{free_port()}"
    arguments = ("s_server", "-accept", where, "-cert", certificate, "-key", key, *option)
    with OpenSslProgram(*arguments) as server:
        server.wait_for("ACCEPT")
        code, found = probe(where, "--require-pq")

    assert code == 3
    assert found["post_quantum"] == "no"
    assert found["protocol"] == protocol
    assert found["downgradeable"] is True
    assert found["certificates"][0]["key"] == "rsa-2048"


@pytest.fixture(
    params=[
        pytest.param("node", marks=pytest.mark.peer("node")),
        pytest.param("go", marks=pytest.mark.peer("go")),
    ],
)
def program(request):
    if request.param == "node":
        return [node_command(), str(INTEROP / "node" / "peer.js")]
    return [str(build_go(INTEROP / "go", request.config.cache.mkdir("go-peer")))]


def test_node_and_go_with_an_mldsa_certificate(program, tmp_path):
    groups = ["X25519MLKEM768", "x25519"]
    leaf = pki.root("mldsa65").issue(dns=("localhost",))
    wanted = options("server", groups=groups, leaf=leaf, directory=tmp_path, alpn=["http/1.1"])
    with Program(program, wanted) as peer:
        code, found = probe(f"127.0.0.1:{peer.report()['port']}", "--require-pq")

    assert code == 0
    assert found["downgradeable"] is True
    assert found["certificates"][0]["key"] == "mldsa65"
    assert found["certificate_verify"] == "mldsa65"
    assert found["alpn"] == "http/1.1"
    accepted = {g["name"] for g in found["groups"] if g["reply"] == "accepted"}
    assert accepted == set(groups)


def say(data):
    def behaviour(connection):
        connection.recv(65536)
        connection.sendall(data)
        connection.recv(65536)

    return behaviour


@pytest.mark.parametrize(
    ("behaviour", "code", "protocol"),
    [
        (say(b"HTTP/1.1 400 Bad Request\r\n\r\n"), 0, "plaintext HTTP"),
        (say(b"SSH-2.0-OpenSSH_9.2\r\n"), 0, "SSH"),
        (lambda connection: connection.recv(65536) and connection.recv(65536), 1, "silent"),
        (lambda connection: connection.close(), 1, "closed"),
    ],
    ids=["http", "ssh", "silent", "closing"],
)
def test_what_is_no_tls_is_told_apart(behaviour, code, protocol):
    with serving(behaviour) as server:
        patience = "0.5" if protocol == "silent" else "10"
        returned, found = probe(server.forward, "--timeout", patience)

    assert returned == code
    assert found["protocol"] == protocol


def test_nobody_there_is_an_error_with_a_hint():
    code, said = probe(f"127.0.0.1:{free_port()}", "--require-pq")

    assert code == 1
    assert "connection refused\nhint: nothing listens there" in said
