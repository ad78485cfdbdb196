"""Certificates and keys as other programs leave them: where, how, and how late."""

import signal
import socket
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from pqproxy.crypto.keys import encode_private_key, load_private_key
from tests.support.ml_dsa_forms import expanded_pem
from tests.support.plain_server import echo, serving
from tests.support.processes import LISTEN, tcp_sockets
from tests.support.providers import provider_or_skip
from tests.support.sidecars import Certificates, egress, free_port, ingress
from tests.support.waiting import wait_until

SECRET = ("tls.crt", "tls.key", "ca.crt")
SPIFFE = ("svid.pem", "svid_key.pem", "svid_bundle.pem")
PASSPHRASE = b"correct horse battery staple"


@pytest.fixture
def contents(certificates):
    """Certificate, key and roots of a leaf."""

    def contents(name):
        entry = certificates.entry(name)
        paths = (entry["certificate"], entry["key"], certificates.root)
        return [Path(path).read_bytes() for path in paths]

    return contents


def mount(directory, files):
    """Write files as a kubelet does: a link to a directory that is there all at once."""
    (directory / "..2026_11_21").mkdir(parents=True)
    for name, content in files.items():
        (directory / "..2026_11_21" / name).write_bytes(content)
    (directory / "..data").symlink_to("..2026_11_21")
    for name in files:
        (directory / name).symlink_to(f"..data/{name}")


def named(document, directory):
    """The configuration with all of its certificates in one directory."""
    return document | {
        "identities": {"own": {"certificate": str(directory)}},
        "trust": {"mesh": {"roots": [str(directory)]}},
    }


def answer(address, question):
    with socket.create_connection(address, timeout=10) as client:
        client.sendall(question)
        return client.recv(100)


def listening(sidecar):
    return tcp_sockets(sidecar.family(), LISTEN)


def test_one_file_under_a_passphrase_and_the_files_of_spiffe_helper_make_a_pair(
    sidecars, certificates, contents, tmp_path, monkeypatch
):
    """Blocks in the order of nobody, and the passphrase in the environment of no worker."""
    certificate, key, roots = contents("server")
    locked = encode_private_key(load_pem_private_key(key, None), PASSPHRASE)
    (tmp_path / "own.pem").write_bytes(roots + locked + certificate)
    monkeypatch.setenv("OWN_PASSPHRASE", PASSPHRASE.decode())
    mount(tmp_path / "spiffe", dict(zip(SPIFFE, contents("client"), strict=True)))
    with serving(echo) as server:
        front = ingress(certificates, f"127.0.0.1:{free_port()}", server.forward)
        front["identities"]["own"] = {
            "certificate": str(tmp_path / "own.pem"),
            "passphrase": "${OWN_PASSPHRASE}",
        }
        back = egress(certificates, f"127.0.0.1:{free_port()}", front["ingress"][0]["listen"])

        front = sidecars.start("ingress", front).wait_until_ready()
        back = sidecars.start("egress", named(back, tmp_path / "spiffe")).wait_until_ready()

        assert answer(back.address, b"hello") == b"hello"
        environment = Path(f"/proc/{front.worker}/environ").read_bytes()
        assert b"PATH=" in environment
        assert PASSPHRASE not in environment
    explained = front.command("config", "explain").stdout
    assert 'passphrase: "${OWN_PASSPHRASE}"' in explained
    assert PASSPHRASE.decode() not in explained + front.log()


def test_files_that_come_late_are_waited_for_and_nothing_listens_meanwhile(
    sidecars, certificates, contents, tmp_path
):
    files = dict(zip(SECRET, contents("client"), strict=True))
    document = egress(certificates, f"127.0.0.1:{free_port()}", "localhost:1")
    document = named(document, tmp_path / "late") | {"wait_for_files": "60s"}
    sidecar = sidecars.start("egress", document)
    wait_until(lambda: "waiting up to 60 s for files" in sidecar.log(), "the line", 20)
    assert listening(sidecar) == []

    # A certificate without its key, with a key that is not its own, and with the right one.
    (tmp_path / "late").mkdir()
    (tmp_path / "late/tls.crt").write_bytes(files["tls.crt"])
    (tmp_path / "late/tls.key").write_bytes(contents("server")[1])
    (tmp_path / "late/ca.crt").write_bytes(files["ca.crt"][:200])
    sidecar.process.send_signal(signal.SIGHUP)  # looks at once
    assert sidecar.process.poll() is None
    assert listening(sidecar) == []
    (tmp_path / "late/ca.crt").write_bytes(files["ca.crt"])
    (tmp_path / "late/tls.key").write_bytes(files["tls.key"])

    sidecar.wait_until_ready()
    said = [line for line in sidecar.log().splitlines() if "files" in line]
    assert len([line for line in said if "waiting up to" in line]) == 1
    assert len([line for line in said if "the files came after" in line]) == 1


def test_whoever_waits_for_files_leaves_when_told_to(sidecars, certificates, tmp_path):
    document = egress(certificates, f"127.0.0.1:{free_port()}", "localhost:1")
    document = named(document, tmp_path / "late") | {"wait_for_files": "60s"}
    sidecar = sidecars.start("egress", document)
    wait_until(lambda: "waiting up to 60 s for files" in sidecar.log(), "the line", 20)

    assert sidecar.stop(seconds=10) == 0
    assert "told to leave" in sidecar.log()


def test_what_never_comes_is_an_error_with_its_place(sidecars, certificates, tmp_path):
    document = egress(certificates, f"127.0.0.1:{free_port()}", "localhost:1")
    document = named(document, tmp_path / "late") | {"wait_for_files": "200ms"}
    sidecar = sidecars.start("egress", document)

    assert sidecar.process.wait(20) == 2
    assert f"identities.own.certificate: there is no {tmp_path}/late" in sidecar.log()


def test_an_expanded_key_serves_after_a_reload_into_confined_workers(
    sidecars, tmp_path, monkeypatch
):
    """Nothing has looked for liboqs yet, and Landlock must let a worker find it."""
    provider_or_skip("liboqs")
    monkeypatch.setenv("OWN_PASSPHRASE", PASSPHRASE.decode())
    made = Certificates(tmp_path / "pki", "mldsa65")
    entry = made.entry("server")
    key = load_pem_private_key(Path(entry["key"]).read_bytes(), None)
    expanded = load_private_key(expanded_pem(key), certified=[key.public_key()])
    with serving(echo) as server:
        document = ingress(made, f"127.0.0.1:{free_port()}", server.forward)
        front = sidecars.start("ingress", document).wait_until_ready()
        document = egress(made, f"127.0.0.1:{free_port()}", document["ingress"][0]["listen"])
        back = sidecars.start("egress", document).wait_until_ready()
        worker = front.worker

        (tmp_path / "own.key").write_bytes(encode_private_key(expanded, PASSPHRASE))
        own = entry | {"key": str(tmp_path / "own.key"), "passphrase": "${OWN_PASSPHRASE}"}
        reloaded = front.reload(front.document | {"identities": {"own": own}})

        assert reloaded.returncode == 0, reloaded.stderr
        assert front.worker == worker
        assert answer(back.address, b"hello") == b"hello"
        checked = front.command("check", "--offline").stdout
        assert "mldsa65 (an expanded key, signed with by liboqs)" in checked
