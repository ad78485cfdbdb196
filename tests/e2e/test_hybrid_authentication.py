"""Sidecars that prove themselves with ML-DSA and ECDSA, beside clients that know one of the two.

One front with a listener of each kind, started once: tests leave it as it is.
"""

import hashlib
import os
import socket
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pqproxy.crypto.keys import load_private_key
from tests.support.loopback import Endpoint
from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.peers import node_command
from tests.support.plain_server import echo, serving
from tests.support.programs import Program
from tests.support.sidecars import CLIENT, SERVER, Certificates, Sidecars, free_port
from tests.support.sockets import Server, dial, drive

COMPOSITE, STANDARD, ML_DSA = "mldsa65-ecdsa-p256", "ecdsa-p256", "mldsa65"
SCHEME = "mldsa65_ecdsa_p256"
ISSUE = f"pqproxy certs issue --algorithm {COMPOSITE}"
NODE = Path(__file__).parent.parent / "interop" / "node" / "peer.js"


class Pki:
    """An authority of each kind, with the same names below each."""

    def __init__(self, directory):
        kinds = (COMPOSITE, STANDARD, ML_DSA)
        self._of = {kind: Certificates(directory / kind, kind) for kind in kinds}

    def entry(self, kind, name):
        return self._of[kind].entry(name)

    def pem(self, kind):
        return Path(self._of[kind].root)

    def root(self, kind):
        pem = self.pem(kind).read_bytes()
        return SimpleNamespace(certificate=x509.load_pem_x509_certificate(pem))

    def leaf(self, kind, name="client"):
        """A chain and its key, as test peers want them."""
        entry = self.entry(kind, name)
        chain = x509.load_pem_x509_certificates(Path(entry["certificate"]).read_bytes())
        key_pem = Path(entry["key"]).read_bytes()
        return SimpleNamespace(
            certificates=chain,
            chain_der=tuple(one.public_bytes(Encoding.DER) for one in chain),
            key=load_private_key(key_pem),
            key_pem=key_pem,
            key_algorithm=kind,
        )

    def document(self, role, listeners, identities):
        return {
            "version": 1,
            "identities": {kind: self.entry(kind, role) for kind in identities},
            "trust": {"all": {"roots": [self._of[COMPOSITE].root, self._of[STANDARD].root]}},
            "health": {"listen": f"127.0.0.1:{free_port()}"},
            "control": {"listen": f"127.0.0.1:{free_port()}"},
            "drain": {"timeout": "2s"},
            "log": {"format": "json"},
        } | listeners


def front_document(pki, forward):
    """`mesh` demands both halves of everybody, the others are for standard clients too."""

    def entry(name, identities, **more):
        return {
            "name": name,
            "listen": f"127.0.0.1:{free_port()}",
            "forward": forward,
            "identities": identities,
            "trust": "all",
        } | more

    anonymous = {"client_auth": "none"}
    entries = [
        entry("mesh", [COMPOSITE, STANDARD], allow=[CLIENT], authentication="hybrid"),
        entry("open", [COMPOSITE, ML_DSA, STANDARD], **anonymous),
        entry("sidecars", [COMPOSITE], **anonymous),
    ]
    return pki.document("server", {"ingress": entries}, (COMPOSITE, ML_DSA, STANDARD))


def beside_document(pki, **connect):
    """Egresses by name: where each connects, who it is, what else it is told."""
    entries = [
        {
            "name": name,
            "listen": f"127.0.0.1:{free_port()}",
            "connect": [address],
            "tunnel": {"mode": "never"},  # each connection has a handshake to look at
            "identities": [identity],
            "trust": "all",
            "expect": [SERVER],
        }
        | more
        for name, (address, identity, more) in connect.items()
    ]
    return pki.document("client", {"egress": entries}, (COMPOSITE, STANDARD))


def forged(leaf, half):
    """The leaf with a key of which one half is another one's."""
    other = leaf.key.algorithm.generate()
    halves = {"ML-DSA": {"ml_dsa": other.ml_dsa}, "ECDSA": {"traditional": other.traditional}}
    return SimpleNamespace(**{**vars(leaf), "key": replace(leaf.key, **halves[half])})


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    sidecars = Sidecars(tmp_path_factory.mktemp("sidecars"), None)
    yield sidecars
    sidecars.stop()


@pytest.fixture(scope="module")
def upstream():
    with serving(echo) as server:
        yield server.forward


@pytest.fixture(scope="module")
def front(running, pki, upstream):
    return running.start("front", front_document(pki, upstream)).wait_until_ready()


@pytest.fixture(scope="module")
def standard_server(pki):
    """OpenSSL with an ECDSA certificate and no other."""
    own = pki.leaf(STANDARD, "server")
    with Server(lambda: OpenSslEndpoint.server(leaf=own)) as server:
        yield server


@pytest.fixture(scope="module")
def beside(running, pki, front, standard_server):
    both = {"authentication": "hybrid"}
    mesh = address(front, "mesh")
    document = beside_document(
        pki,
        hybrid=(mesh, COMPOSITE, both),
        standard=(mesh, STANDARD, {}),
        outside=(f"localhost:{standard_server.port}", COMPOSITE, both),
    )
    return running.start("beside", document).wait_until_ready()


@pytest.fixture
def private(running, pki, upstream):
    """A pair with a number of its own for its signatures; its front takes every proof at first."""
    moved = {"code_points": {COMPOSITE: "0xFE90"}}
    document = front_document(pki, upstream) | moved
    mesh = document["ingress"][0] | {"authentication": "any"}
    own = running.start("private", document | {"ingress": [mesh]}).wait_until_ready()
    peers = {"hybrid": (own.listen, COMPOSITE, {}), "standard": (own.listen, STANDARD, {})}
    return own, running.start("peers", beside_document(pki, **peers) | moved).wait_until_ready()


def entry_of(sidecar, name):
    document = sidecar.document
    entries = [*document.get("ingress", ()), *document.get("egress", ())]
    return next(entry for entry in entries if entry["name"] == name)


def address(sidecar, name):
    return entry_of(sidecar, name)["listen"]


def port(sidecar, name):
    return int(address(sidecar, name).rpartition(":")[2])


class Watch:
    """Waits for the lines that a sidecar writes from here on."""

    def __init__(self, sidecar):
        self._sidecar = sidecar
        self._seen = {event: len(sidecar.lines(event)) for event in ("connection", "refused")}

    def __call__(self, event):
        """The next one."""
        at = self._seen[event]
        self._seen[event] += 1
        return self._sidecar.wait_for(event, at + 1)[at]


@pytest.fixture
def new_line(front):
    return Watch(front)


def through(sidecar, name, message=b"hi"):
    """What comes back for a message, read to its end."""
    received = bytearray()
    with socket.create_connection(("127.0.0.1", port(sidecar, name)), timeout=20) as connection:
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        while data := connection.recv(1 << 16):
            received += data
    return bytes(received)


def openssl_to(front, name, **settings):
    """An OpenSSL client that sent one message to a listener and heard what it had to say."""
    client = OpenSslEndpoint.client(**settings)
    client.send(b"hi")
    with socket.create_connection(("127.0.0.1", port(front, name)), timeout=20) as connection:
        drive(client, connection, until=lambda: bytes(client.received) == b"hi" or client.error)
    return client


def test_a_pair_streams_when_both_halves_of_both_sides_verify(beside, new_line):
    other_line, sent = Watch(beside), os.urandom(3_000_000)

    received = through(beside, "hybrid", sent)

    assert hashlib.sha256(received).digest() == hashlib.sha256(sent).digest()
    for said in (new_line("connection"), other_line("connection")):
        assert (said["signature"], said["peer_signature"]) == (SCHEME, SCHEME)
    assert through(beside, "hybrid") == b"hi"
    assert other_line("connection")["resumed"] is new_line("connection")["resumed"] is True


def test_what_is_demanded_is_told_to_whoever_watches(beside):
    told = {one["name"]: one["authentication"] for one in beside.status()["listeners"]}

    assert told == {"hybrid": "hybrid", "standard": "any", "outside": "hybrid"}
    assert 'pqproxy_listener_info{authentication="hybrid",listener="outside"' in beside.metrics()
    assert "demands      authentication: hybrid" in beside.command("status").stdout


@pytest.mark.peer("openssl")
def test_a_standard_client_meets_an_ecdsa_certificate_at_a_port_with_all_three(
    pki, front, new_line
):
    only = "ecdsa_secp256r1_sha256"
    client = openssl_to(front, "open", trust=pki.root(STANDARD), signature_algorithms=only)

    assert bytes(client.received) == b"hi"
    assert new_line("connection")["signature"] == only


@pytest.mark.peer("node")
def test_a_client_that_knows_ml_dsa_meets_that_at_the_same_port(pki, front, new_line):
    options = {
        "role": "client",
        "port": port(front, "open"),
        "serverName": "localhost",
        "groups": ["X25519MLKEM768"],
        "alpn": [],
        "size": 1000,
        "ca": str(pki.pem(ML_DSA)),
    }
    with Program([node_command(), str(NODE)], options) as node:
        report = node.report()

    assert report.get("intact"), report
    assert new_line("connection")["signature"] == "mldsa65"


@pytest.mark.peer("openssl")
def test_clients_of_every_kind_at_once_each_meet_their_certificate(pki, front, new_line):
    """What one connection is answered with must never be another one's."""
    known = {STANDARD: (0x0403,), ML_DSA: (0x0403, 0x0905), COMPOSITE: (0x0403, 0x0905, 0xFE45)}

    def meets(kind):
        if kind == "OpenSSL":
            sure = {"trust": pki.root(STANDARD), "signature_algorithms": "ecdsa_secp256r1_sha256"}
            return bytes(openssl_to(front, "open", **sure).received) == b"hi"
        client = Endpoint.client(signature_schemes=known[kind])
        dial(port(front, "open"), client).close()
        return client.negotiated.peer_chain == pki.leaf(kind, "server").chain_der

    kinds = [*known, "OpenSSL"] * 12
    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(meets, kinds)) == [True] * len(kinds)
    signed = Counter(new_line("connection")["signature"] for _ in kinds)
    assert signed == {SCHEME: 12, "mldsa65": 12, "ecdsa_secp256r1_sha256": 24}


@pytest.mark.peer("openssl")
def test_a_client_with_only_ecdsa_is_refused_where_both_are_demanded(pki, front, new_line):
    """It is told what is asked for, so it shows nothing; the operator is told what would help."""
    client = openssl_to(front, "mesh", leaf=pki.leaf(STANDARD), trust=pki.root(STANDARD))
    refused = new_line("refused")

    assert client.received == b""
    assert "certificate required" in client.error
    assert refused["reason"] == "weak_authentication"
    assert SCHEME in refused["detail"]
    assert "ecdsa_secp256r1_sha256" in refused["offered"]
    assert ISSUE in refused["fix"]


def test_a_sidecar_with_only_ecdsa_is_refused_too_and_both_logs_say_why(beside, new_line):
    other_line = Watch(beside)
    with pytest.raises(ConnectionError):
        through(beside, "standard")
    refused, line = new_line("refused"), other_line("connection")

    assert (refused["reason"], ISSUE in refused["fix"]) == ("weak_authentication", True)
    assert "certificate_required" in line["detail"]
    assert f"asks for a certificate that signs with {SCHEME}" in line["fix"]


@pytest.mark.peer("openssl")
def test_a_server_with_only_ecdsa_is_refused_where_both_are_demanded(beside, standard_server):
    """It says handshake_failure, and nothing else; our log says what it means."""
    other_line = Watch(beside)
    with pytest.raises(ConnectionError):
        through(beside, "outside")
    line = other_line("connection")

    assert "no shared signature algorithms" in standard_server.endpoints[-1].error
    assert line["reason"] == "weak_authentication"
    assert line["detail"] == "peer said handshake_failure (unauthenticated)"
    assert ISSUE in line["fix"]


@pytest.mark.peer("openssl")
def test_a_client_that_verifies_none_of_our_identities_is_told_apart(pki, front, new_line):
    client = openssl_to(front, "sidecars", trust=pki.root(STANDARD))
    refused = new_line("refused")

    assert "handshake failure" in client.error
    assert refused["reason"] == "weak_authentication"
    assert f"our certificates are {COMPOSITE}; the client offers" in refused["detail"]
    assert "one more identity" in refused["fix"]


@pytest.mark.parametrize(
    ("half", "said"),
    [
        ("ML-DSA", "the ML-DSA-65 half does not verify, the ECDSA-P256-SHA256 half verifies"),
        ("ECDSA", "the ML-DSA-65 half verifies, the ECDSA-P256-SHA256 half does not verify"),
    ],
)
def test_one_wrong_half_is_decrypt_error_for_the_peer_and_named_to_the_operator(
    pki, front, new_line, half, said
):
    """Whoever breaks one of the two has broken nothing."""
    client = Endpoint.client(forged(pki.leaf(COMPOSITE), half))
    with dial(port(front, "mesh"), client) as connection:
        drive(client, connection, until=lambda: client.failure)

    assert client.failure.alert_name == "decrypt_error"
    assert said in new_line("refused")["detail"]


def test_composites_keep_their_name_under_any_number_and_numbers_must_agree(pki, private):
    own, peers = private
    new_line = Watch(own)
    assert through(peers, "hybrid") == b"hi"
    line = new_line("connection")
    usual = Endpoint.client(pki.leaf(COMPOSITE), signature_schemes=(0xFE45,))
    dial(port(own, "mesh"), usual).close()
    refused = new_line("refused")

    assert (line["signature"], line["peer_signature"]) == (SCHEME, SCHEME)
    assert refused["reason"] == "weak_authentication"
    assert "the client offers 0xfe45" in refused["detail"]
    assert "compare code_points" in refused["fix"]


def test_a_ticket_of_a_listener_that_took_any_proof_opens_nothing_once_it_is_stricter(private):
    """The certificate that it was given for would not be taken now."""
    own, peers = private
    new_line = Watch(own)
    assert [through(peers, "standard"), through(peers, "standard")] == [b"hi", b"hi"]
    assert [new_line("connection").get("resumed"), new_line("connection")["resumed"]] == [
        None,
        True,
    ]

    strict = entry_of(own, "mesh") | {"authentication": "hybrid"}
    assert own.reload(own.document | {"ingress": [strict]}).returncode == 0
    with pytest.raises(ConnectionError):
        through(peers, "standard")

    assert new_line("refused")["reason"] == "weak_authentication"
    assert through(peers, "hybrid") == b"hi"
    assert new_line("connection")["peer_signature"] == SCHEME
