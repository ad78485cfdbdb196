"""Certificates, keys and roots that are exchanged while connections live and new ones come."""

import json
import shutil
import socket
import subprocess
import sys

import pytest

from tests.support import pki
from tests.support.plain_server import echo, serving
from tests.support.rotation import MountedSecret, Renewed
from tests.support.sidecars import Certificates, Sidecars, free_port, ingress, shown_certificate
from tests.support.waiting import wait_until

OPEN_TO_ALL = {"client_auth": "none", "unsafe_anonymous": True, "policy": "prefer", "allow": []}
RELOADED = "reloaded on a change of files: changed llm (certificates); new certificates of own"


@pytest.fixture(scope="module")
def server():
    with serving(echo) as running:
        yield running


@pytest.fixture
def renewed(tmp_path):
    return renewed_in(tmp_path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The files of `front`."""
    return renewed_in(tmp_path_factory.mktemp("files"))


@pytest.fixture(scope="module")
def front(tmp_path_factory, files, server):
    """An ingress for the tests that leave it well."""
    running = Sidecars(tmp_path_factory.mktemp("front"), files)
    yield start(running, files, server)
    running.stop()


def renewed_in(directory):
    (directory / "renewed").mkdir()
    return Renewed(directory / "renewed")


def start(sidecars, certificates, server, under=(), **more):
    """An ingress that shows its certificate to everybody."""
    listen = f"127.0.0.1:{free_port()}"
    document = ingress(certificates, listen, server.forward, **OPEN_TO_ALL)
    return sidecars.start("front", document | more, under).wait_until_ready()


def in_a_namespace(script):
    """A command that runs another one after a script, as root of a namespace of its own."""
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody have a namespace of his own")
    return [shutil.which("unshare"), "-rm", "sh", "-c", f'{script} && exec "$@"', "sh"]


def reloads_of_files(front):
    """How many succeeded, because a file was new."""
    sample = 'pqproxy_reloads_total{kind="files",result="success"} '
    counted = [line for line in front.metrics().splitlines() if line.startswith(sample)]
    return sum(float(line[len(sample) :]) for line in counted)


def test_a_renewed_certificate_is_shown_without_a_word_to_pqproxy(front, files):
    before, reloads = shown_certificate(front.address), reloads_of_files(front)
    leaf = files.renew("server", "second key")
    wait_until(lambda: shown_certificate(front.address) != before, "the new one is shown")

    assert shown_certificate(front.address) == leaf.chain_der[0]
    wait_until(lambda: RELOADED in front.log(), "it is said")
    assert reloads_of_files(front) == reloads + 1
    assert front.status()["last_reload"]["kind"] == "files"


def test_a_key_without_its_certificate_is_refused_in_one_line_until_both_are_there(front, files):
    """A renewal that dies between two files must not take the listener with it."""
    before, leaf = shown_certificate(front.address), files.leaf("server", "third key")
    certificate, key = files.paths("server").values()
    refused = "renewed files are not taken, what is in force stays: "
    key.write_bytes(leaf.key_pem)
    wait_until(lambda: refused in front.log(), "refused")
    assert shown_certificate(front.address) == before
    certificate.write_bytes(leaf.certificate_pem[:-100])
    wait_until(lambda: front.log().count(refused) == 2, "refused for another reason")
    assert shown_certificate(front.address) == before
    certificate.write_bytes(leaf.certificate_pem)
    wait_until(lambda: shown_certificate(front.address) == leaf.chain_der[0], "both are taken")

    mismatch, cut = (line for line in front.log().splitlines() if refused in line)
    assert "the private key does not belong to the certificate" in mismatch
    assert str(certificate) in cut


def test_a_configuration_that_is_being_edited_neither_helps_nor_hinders(front, files):
    front.config.write_text("half of a sente")
    leaf = files.renew("server", "fourth key")
    wait_until(
        lambda: shown_certificate(front.address) == leaf.chain_der[0], "the new one is shown"
    )


def test_a_secret_of_kubernetes_is_taken_each_time_it_is_swapped(sidecars, tmp_path, server):
    """The links to the files never change; what they lead to is another directory each time."""

    def secret(label):
        leaf = pki.root().issue(dns=("localhost",), label=label)
        content = {"tls.crt": leaf.certificate_pem, "tls.key": leaf.key_pem}
        return leaf, content | {"ca.crt": pki.root().certificate_pem}

    _, content = secret("first key")
    mounted = MountedSecret(tmp_path / "secret", content)
    files = {"certificate": "tls.crt", "key": "tls.key"}
    own = {part: str(mounted.directory / name) for part, name in files.items()}
    trust = {"mesh": {"roots": [str(mounted.directory / "ca.crt")]}}
    certificates = Renewed(tmp_path)  # for what `start` names before it is told otherwise
    front = start(sidecars, certificates, server, identities={"own": own}, trust=trust)
    for label in ("second key", "third key", "first key"):
        leaf, content = secret(label)
        mounted.swap(content)
        wait_until(
            lambda leaf=leaf: shown_certificate(front.address) == leaf.chain_der[0], "it is shown"
        )

    assert "not taken" not in front.log()


def test_a_file_that_is_mounted_by_itself_is_warned_of_with_the_fix(tmp_path, renewed):
    """What a `subPath` is: the mount keeps the file of the start, whatever stands there later."""
    document = ingress(renewed, f"127.0.0.1:{free_port()}", "127.0.0.1:9")
    config = tmp_path / "proxy.yaml"
    config.write_text(json.dumps(document))
    certificate = renewed.entry("server")["certificate"]
    under = in_a_namespace(f"mount --bind {certificate} {certificate}")
    command = [sys.executable, "-P", "-m", "pqproxy", "check", "--offline", "-c", str(config)]
    checked = subprocess.run([*under, *command], capture_output=True, text=True, timeout=60)

    assert f"{certificate} is mounted by itself (subPath)" in checked.stdout, checked.stderr
    assert "mount the directory that holds it" in checked.stdout
    assert checked.stdout.count("mounted by itself") == 1


def test_where_the_kernel_has_no_watches_left_files_are_read_now_and_then(
    sidecars, renewed, server
):
    """Other programs may have used them up; on a network filesystem they are worth nothing."""
    mount = f"mount --bind {renewed.root} {renewed.root}"
    under = in_a_namespace(f"{mount} && echo 0 > /proc/sys/user/max_inotify_instances")
    front = start(sidecars, renewed, server, under)
    assert f"{renewed.root} is mounted by itself (subPath)" in front.log()
    wait_until(lambda: "files are read every 5 s instead" in front.log(), "said so")
    leaf = renewed.renew("server", "second key")
    wait_until(
        lambda: shown_certificate(front.address) == leaf.chain_der[0], "taken", 20, interval=0.2
    )


def test_what_certs_renew_writes_is_shown_at_once(sidecars, tmp_path, server):
    certificates = Certificates(tmp_path / "certs")
    front = start(sidecars, certificates, server)
    before = shown_certificate(front.address)
    command = [sys.executable, "-P", "-m", "pqproxy", "certs", "renew", "server"]
    subprocess.run([*command, "--dir", str(tmp_path / "certs")], check=True, timeout=60)
    wait_until(lambda: shown_certificate(front.address) != before, "the new one is shown")

    assert "not taken" not in front.log()


def resumed(pair):
    """Make a connection through a pair; whether its handshake was a resumption."""
    before = len(pair.egress.lines("connection"))
    with socket.create_connection(pair.address, timeout=20) as connection:
        connection.sendall(b"hi")
        assert connection.recv(2, socket.MSG_WAITALL) == b"hi"
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(1) == b""
    return pair.egress.wait_for("connection", before + 1)[-1].get("resumed", False)


def test_nobody_resumes_by_a_certificate_that_was_replaced(tmp_path, renewed, server):
    """A ticket would hide the new one from the peer until it ends, eight hours later."""
    running = Sidecars(tmp_path, renewed)
    try:
        pair = running.start_pair(server.forward, "never")
        assert [resumed(pair) for _ in range(3)] == [False, True, True]
        for name, sidecar in (("server", pair.ingress), ("client", pair.egress)):
            renewed.renew(name, "second key")
            wait_until(lambda one=sidecar: "new certificates of own" in one.log(), "taken")
            assert [resumed(pair) for _ in range(3)] == [False, True, True]
    finally:
        running.stop()
