"""Rolling out: what `observe` names is what `require` refuses, with clients of other people."""

import json
import re
import socket
import ssl
from contextlib import suppress
from typing import NamedTuple

import pytest

from tests.support.plain_server import serving
from tests.support.sidecars import CLIENT, STRANGER

SSL = pytest.importorskip("OpenSSL.SSL")
requests = pytest.importorskip("curl_cffi.requests")

pytestmark = [pytest.mark.peer("openssl"), pytest.mark.peer("curl_cffi")]

QUESTION = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"
P256 = "prime256v1"  # a group of the standard library's OpenSSL, whatever its version


class Caller(NamedTuple):
    """A client that asks one question, from an address of its own."""

    ask: object  # (address to connect to, own host, certificates) -> what it was answered
    reason: str | None  # why `require` refuses it
    identity: str | None = None  # what it proved to be where it is served


def standard(name=None, version=None):
    """The standard library's OpenSSL, without a hybrid group."""

    def ask(address, host, certificates):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificates.root)
        context.set_ecdh_curve(P256)
        if version:
            context.maximum_version = version
        if name:
            context.load_cert_chain(*certificates.entry(name).values())
        with (
            socket.create_connection(address, 20, (host, 0)) as sock,
            context.wrap_socket(sock, server_hostname="localhost") as tls,
        ):
            tls.sendall(QUESTION)
            return tls.recv(1000)

    return ask


def openssl(name=None, groups="X25519MLKEM768"):
    """A current OpenSSL."""

    def ask(address, host, certificates):
        context = SSL.Context(SSL.TLS_METHOD)
        context.load_verify_locations(certificates.root)
        context.set_verify(SSL.VERIFY_PEER)
        assert SSL._lib.SSL_CTX_set1_curves_list(context._context, groups.encode()) == 1
        if name:
            entry = certificates.entry(name)
            context.use_certificate_chain_file(entry["certificate"])
            context.use_privatekey_file(entry["key"])
        with socket.create_connection(address, None, (host, 0)) as sock:
            tls = SSL.Connection(context, sock)
            tls.set_connect_state()
            tls.do_handshake()
            tls.sendall(QUESTION)
            return tls.recv(1000)

    return ask


def curl(browser):
    """BoringSSL with the hello of a browser, or of plain curl."""

    def ask(address, host, certificates):
        answer = requests.get(
            f"https://localhost:{address[1]}/v1/models",
            impersonate=browser,
            verify=certificates.root,
            interface=host,
            timeout=20,
        )
        return b"HTTP/1.1 %d" % answer.status_code

    return ask


def bare(data):
    """No TLS at all."""

    def ask(address, host, certificates):
        with socket.create_connection(address, 20, (host, 0)) as sock:
            sock.sendall(data)
            while sock.recv(1000):
                pass
        return b""

    return ask


CALLERS = {
    "OpenSSL, hybrid": Caller(openssl(), None),
    "OpenSSL, hybrid, asked again": Caller(openssl(groups="P-256:X25519MLKEM768"), None),
    "OpenSSL, hybrid, with a certificate": Caller(openssl("client"), None, CLIENT),
    "OpenSSL, hybrid, not allowed": Caller(openssl("stranger"), "not_allowed", STRANGER),
    "OpenSSL, classical": Caller(standard(), "no_pq_group"),
    "OpenSSL, classical, with a certificate": Caller(standard("client"), "no_pq_group", CLIENT),
    "OpenSSL, classical, not allowed": Caller(standard("stranger"), "no_pq_group", STRANGER),
    "OpenSSL, no common group": Caller(openssl(groups="X448"), "no_pq_group"),
    "OpenSSL, TLS 1.2": Caller(standard(version=ssl.TLSVersion.TLSv1_2), "tls_version"),
    "curl, like Chrome": Caller(curl("chrome"), None),
    "curl, like Firefox": Caller(curl("firefox"), None),
    "curl, classical": Caller(curl(None), "no_pq_group"),
    "plain HTTP": Caller(bare(QUESTION), "plaintext"),
    "garbage": Caller(bare(bytes(range(200, 100, -1))), "protocol_error"),
}
HOSTS = {name: f"127.0.0.{10 + number}" for number, name in enumerate(CALLERS)}
EXPECTED = {(HOSTS[name], caller.reason) for name, caller in CALLERS.items() if caller.reason}
SERVED_BY_OBSERVE = {
    name
    for name, caller in CALLERS.items()
    if caller.reason is None
    or (caller.reason == "no_pq_group" and caller.identity != STRANGER and "no common" not in name)
}


def model(connection):
    connection.recv(1 << 16)
    connection.sendall(ANSWER)


def listen(sidecars, server):
    """A sidecar that observes, and serves clients without a certificate too."""
    return sidecars.start_ingress(
        server.forward,
        policy="observe",
        client_auth="request",
        unsafe_anonymous=True,
        alpn=["http/1.1"],
        settings={"workers": 2},  # their evidence is put together
    )


def demand(sidecar):
    """What an operator does then: say `require`, and reload."""
    (listener,) = sidecar.document["ingress"]
    demanding = {"ingress": [listener | {"policy": "require"}]}
    ended = sidecar.reload(sidecar.document | demanding)
    assert ended.returncode == 0, ended.stderr


def all_come(sidecar, certificates):
    """Every caller asks; returns the names of those that were answered."""
    served = set()
    for name, caller in CALLERS.items():
        with suppress(ssl.SSLError, SSL.Error, requests.RequestsError, OSError):
            answer = caller.ask(sidecar.address, HOSTS[name], certificates)
            served |= {name} if answer.startswith(b"HTTP/1.1 200") else set()
    return served


def observed(sidecar, *more):
    """What the command line says of it."""
    ended = sidecar.command("observed", *more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_require_refuses_exactly_those_that_observe_named(sidecars):
    certificates = sidecars.certificates
    with serving(model) as server:
        sidecar = listen(sidecars, server)
        served = all_come(sidecar, certificates)
        (listener,) = json.loads(observed(sidecar, "-o", "json"))["listeners"]
        metrics, text = sidecar.metrics(), observed(sidecar)
        before = len(sidecar.wait_for("refused", len(CALLERS) - len(SERVED_BY_OBSERVE)))
        demand(sidecar)
        still_served = all_come(sidecar, certificates)
        refusals = sidecar.wait_for("refused", before + len(EXPECTED))[before:]

    rows = {row["source"]: row for row in listener["rows"]}
    named = {(row["source"], row["reason"]) for row in listener["rows"]}
    refused = {(line["peer"].partition(":")[0], line["reason"]) for line in refusals}
    assert named == refused == EXPECTED
    assert served == SERVED_BY_OBSERVE
    assert still_served == {name for name, caller in CALLERS.items() if caller.reason is None}
    for name, caller in CALLERS.items():
        if caller.reason:
            row = rows[HOSTS[name]]
            decision = "would_refuse" if name in served else "refused"
            assert (row["identity"], row["decision"]) == (caller.identity, decision), name
            assert row["count"] == 1
            assert HOSTS[name] in text
    (after,) = json.loads(observed(sidecar, "-o", "json"))["listeners"]
    assert (after["policy"], after["rows"]) == ("require", listener["rows"])
    classical = rows[HOSTS["OpenSSL, classical"]]
    assert classical["offered_groups"] == ["secp256r1"]
    assert "ecdsa_secp256r1_sha256" in classical["offered_signature_schemes"]
    assert rows[HOSTS["OpenSSL, TLS 1.2"]]["offered_groups"] == ["secp256r1"]
    series = 'decision="would_refuse",listener="llm",reason="no_pq_group"'
    assert re.search(rf"pqproxy_policy_decisions_total{{{series}}} 3.0", metrics)
