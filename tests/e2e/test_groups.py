"""Groups by name and the profile `cnsa2`, with the command line and OpenSSL as the other side."""

import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509

from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.plain_server import echo, serving
from tests.support.sidecars import Certificates, Pair, Sidecars
from tests.support.sockets import Server

GROUP = "SecP384r1MLKEM1024"
SUITE = "TLS_AES_256_GCM_SHA384"
FITTING = {"groups": (GROUP,), "cipher_suites": SUITE.encode(), "signature_algorithms": "mldsa87"}


@pytest.fixture(scope="module")
def mldsa87(tmp_path_factory):
    return Certificates(tmp_path_factory.mktemp("mldsa87"), "mldsa87")


@pytest.fixture(scope="module")
def strict(tmp_path_factory, mldsa87):
    """A pair under cnsa2 in front of a server; tests leave it as it is."""
    running = Sidecars(tmp_path_factory.mktemp("strict"), mldsa87)
    with serving(echo) as server:
        front = running.start_ingress(server.forward, groups="cnsa2")
        yield Pair(running.start_egress(front.listen, groups="cnsa2"), front)
        running.stop()


@pytest.fixture
def new_line(strict):
    """Waits for the one line of an event that the test caused."""
    before = {event: len(strict.ingress.lines(event)) for event in ("connection", "refused")}

    def wait(event):
        (line,) = strict.ingress.wait_for(event, before[event] + 1)[before[event] :]
        return line

    return wait


def leaf(certificates, name="client"):
    entry = certificates.entry(name)
    chain = x509.load_pem_x509_certificates(Path(entry["certificate"]).read_bytes())
    return SimpleNamespace(certificates=chain, key_pem=Path(entry["key"]).read_bytes())


def root(certificates):
    pem = Path(certificates.root).read_bytes()
    return SimpleNamespace(certificate=x509.load_pem_x509_certificate(pem))


def through(address, message=b"hi"):
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(message)
        return connection.recv(100)


def openssl_says(address, message=b"hi", **settings):
    """(what comes back, OpenSSL's error) of one connection with `message`."""
    client = OpenSslEndpoint.client(**settings)
    client.send(message)
    with socket.create_connection(address, timeout=20) as connection:
        while not client.error and bytes(client.received) != message:
            connection.sendall(client.take())
            if not (data := connection.recv(1 << 16)):
                break
            client.feed(data)
    return bytes(client.received), client.error


@pytest.mark.peer("openssl")
def test_a_pair_speaks_the_private_group_and_others_are_told_what_is_missing(
    sidecars, certificates
):
    own = leaf(certificates)
    with serving(echo) as server:
        front = sidecars.start_ingress(server.forward, groups=["X25519MLKEM1024"])
        beside = sidecars.start_egress(front.listen, groups=["X25519MLKEM768", "X25519MLKEM1024"])

        assert through(beside.address) == b"hi"
        _, error = openssl_says(front.address, leaf=own, groups=("X25519MLKEM768",))
        (line,), (refused,) = front.wait_for("connection"), front.wait_for("refused")

    assert line["group"] == "X25519MLKEM1024"
    assert "insufficient security" in error
    assert refused["reason"] == "no_pq_group"
    assert "let the peer offer X25519MLKEM1024" in refused["fix"]


@pytest.mark.peer("openssl")
def test_a_classical_group_may_be_forced_under_prefer(sidecars, certificates):
    own = leaf(certificates)
    with serving(echo) as server:
        front = sidecars.start_ingress(server.forward, policy="prefer", groups=["x25519"])
        offer = ("X25519MLKEM768", "x25519")

        assert openssl_says(front.address, leaf=own, groups=offer) == (b"hi", None)
        (line,) = front.wait_for("connection")

    assert line["group"] == "x25519"


def test_a_pair_under_cnsa2_speaks_nothing_else(strict, new_line):
    assert through(strict.address) == b"hi"
    line = new_line("connection")

    assert (line["group"], line["cipher_suite"]) == (GROUP, SUITE)
    assert (line["signature"], line["peer_signature"]) == ("mldsa87", "mldsa87")


@pytest.mark.peer("openssl")
@pytest.mark.parametrize(
    "offer", [FITTING, {"groups": ("X25519MLKEM768", GROUP)}], ids=["just that", "among others"]
)
def test_openssl_is_served_under_cnsa2(strict, mldsa87, new_line, offer):
    """Whatever else it offers: what is demanded is what is chosen."""
    own = {"leaf": leaf(mldsa87), "trust": root(mldsa87)}

    assert openssl_says(strict.ingress.address, **own, **offer) == (b"hi", None)
    line = new_line("connection")
    assert (line["group"], line["cipher_suite"]) == (GROUP, SUITE)
    assert (line["signature"], line["peer_signature"]) == ("mldsa87", "mldsa87")


@pytest.mark.peer("openssl")
@pytest.mark.parametrize(
    ("lacks", "alert", "fix"),
    [
        ({"groups": ("X25519MLKEM768",)}, "insufficient security", GROUP),
        ({"cipher_suites": b"TLS_AES_128_GCM_SHA256"}, "insufficient security", SUITE),
        ({"signature_algorithms": "ecdsa_secp256r1_sha256"}, "handshake failure", "ML-DSA-87"),
    ],
    ids=["group", "suite", "signature"],
)
def test_a_client_that_lacks_a_part_of_cnsa2_is_refused(
    strict, mldsa87, new_line, lacks, alert, fix
):
    """One alert for the peer; for the operator what would help."""
    offer = {"leaf": leaf(mldsa87), **FITTING, **lacks}
    received, error = openssl_says(strict.ingress.address, **offer)
    line = new_line("refused")

    assert received == b""
    assert alert in error
    assert line["reason"] == "profile"
    assert fix in line["fix"]


@pytest.mark.peer("openssl")
def test_a_standard_server_is_refused_under_cnsa2_and_the_log_says_what_it_lacks(
    tmp_path, mldsa87, certificates
):
    """All that it says is handshake_failure; it has the group, and no ML-DSA-87 certificate."""
    own, offers = leaf(certificates, "server"), ("X25519MLKEM768", GROUP)
    running = Sidecars(tmp_path, mldsa87)
    with Server(lambda: OpenSslEndpoint.server(leaf=own, groups=offers)) as server:
        beside = running.start_egress(f"localhost:{server.port}", groups="cnsa2")
        with pytest.raises(ConnectionError):
            through(beside.address)
        (line,) = beside.wait_for("connection")
        running.stop()

    assert (line["end_reason"], line["reason"]) == ("upstream_down", "profile")
    assert "handshake_failure" in line["detail"]
    assert "ML-DSA-87" in line["fix"]


@pytest.mark.peer("openssl")
@pytest.mark.parametrize("algorithm", ["ecdsa-p256", "mldsa65"])
def test_a_client_with_another_certificate_is_refused_under_cnsa2(
    strict, new_line, tmp_path, algorithm
):
    """It is told what we accept, so it shows none; X25519MLKEM768 and ML-DSA-65 are no CNSA 2.0."""
    weak = leaf(Certificates(tmp_path, algorithm))
    received, error = openssl_says(strict.ingress.address, leaf=weak, groups=(GROUP,))
    line = new_line("refused")

    assert received == b""
    assert "certificate required" in error
    assert line["reason"] == "no_client_certificate"
    assert "certs init --algorithm mldsa87" in line["fix"]
