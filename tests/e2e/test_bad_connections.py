"""Strangers, scanners and broken clients beside good ones."""

import resource
import socket
import ssl
import time
from contextlib import ExitStack, suppress
from itertools import cycle, islice

import pytest

from pqproxy.proxy.admission import PATIENCE
from tests.support.plain_server import echo, serving
from tests.support.sidecars import Sidecars
from tests.support.standing import active
from tests.support.waiting import wait_until

BAD = 2000
GOOD = 50
WAVES = 5


@pytest.fixture(autouse=True, scope="module")
def descriptors():
    """Two thousand sockets are more than the usual limit of a process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < BAD + 1000:
        pytest.skip(f"a hard limit of {hard} descriptors: ulimit -n")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def half_a_hello():
    """The beginning of a real ClientHello, as another stack writes it."""
    outgoing = ssl.MemoryBIO()
    context = ssl.create_default_context()
    handshake = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="model.test")
    with pytest.raises(ssl.SSLWantReadError):
        handshake.do_handshake()
    hello = outgoing.read()
    return hello[: len(hello) // 2]


KINDS = {
    "silent": b"",
    "garbage": bytes(range(200, 100, -1)) * 6,
    "garbage in a record": b"\x16\x03\x01\x02\x00" + bytes(range(200, 100, -1)) * 6,
    "half a hello": half_a_hello(),
    "plain HTTP": b"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
}


def test_two_thousand_bad_connections_beside_good_ones(sidecars):
    """Good connections live on and new ones are served; nonsense costs no memory that stays.

    The bad ones come from addresses of their own: handshakes under way are capped per source.
    """
    with serving(echo) as server, ExitStack() as good:
        pair = sidecars.start_pair(server.forward)
        streams = [good.enter_context(connected(pair.address)) for _ in range(GOOD)]
        assert [said(stream) for stream in streams] == [b"hi"] * GOOD
        grown = []
        for _ in range(WAVES):
            memory = pair.ingress.resident()
            with ExitStack() as bad:
                crowd(bad, pair.ingress.address)

                assert [said(stream) for stream in streams] == [b"hi"] * GOOD
                # More of them wait than handshakes are allowed at a time: see `Admission`.
                time.sleep(PATIENCE)
                assert talk(pair.address) == b"hi"
            wait_until(lambda: active(pair.ingress) == GOOD, "the crowd is gone", 20)
            grown.append(pair.ingress.resident() - memory)

        assert len(server.accepted) == GOOD + WAVES, "a bad connection reached the model server"
        assert grown[0] < 16 << 20
        assert min(grown[1:]) < 2 << 20, "what one crowd took was not there for the next"


def crowd(open_ones, address):
    """`BAD` connections, each kind in turn, from many addresses."""
    kinds = cycle(KINDS.values())
    for number, payload in enumerate(islice(kinds, BAD)):
        source = (f"127.0.0.{2 + number % 200}", 0)
        connection = socket.create_connection(address, source_address=source)
        open_ones.enter_context(connection)
        with suppress(ConnectionError):  # beyond a cap: let go at once
            connection.sendall(payload)


def connected(address):
    return socket.create_connection(address, timeout=20)


def said(connection):
    connection.sendall(b"hi")
    return connection.recv(100)


def talk(address):
    with connected(address) as connection:
        return said(connection)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("garbage", "protocol_error"),
        ("plain HTTP", "plaintext"),
        ("garbage in a record", "protocol_error"),
    ],
)
def test_nonsense_gets_one_line_with_its_reason(standing, kind, reason):
    with socket.create_connection(standing.ingress.address, timeout=20) as connection:
        connection.sendall(KINDS[kind])
        drain(connection)

    (line,) = standing.ingress.wait_for("refused")
    assert line["reason"] == reason
    assert line["fix"]


def drain(connection):
    try:
        while connection.recv(1 << 16):
            pass
    except ConnectionResetError:
        pass


@pytest.fixture(scope="module")
def hasty(tmp_path_factory, certificates):
    """An ingress that waits for a handshake half a second."""
    running = Sidecars(tmp_path_factory.mktemp("hasty"), certificates)
    yield running.start_ingress("127.0.0.1:9", timeouts={"handshake": "500ms"})
    running.stop()


@pytest.mark.parametrize("kind", ["silent", "half a hello"])
def test_who_never_finishes_the_handshake_is_let_go(hasty, kind):
    hasty.forget()
    with socket.create_connection(hasty.address, timeout=20) as connection:
        begun = time.monotonic()
        connection.sendall(KINDS[kind])
        drain(connection)

    assert 0.4 < time.monotonic() - begun < 5
    (line,) = hasty.wait_for("connection")
    assert line["end_reason"] == "handshake_timeout"


def test_a_client_without_post_quantum_groups_is_told_what_it_lacks(standing):
    """The standard library's OpenSSL may be older than the hybrid groups: make sure it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(standing.certificates.root)
    context.set_ecdh_curve("prime256v1")
    with (
        socket.create_connection(standing.ingress.address, timeout=20) as connection,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(connection, server_hostname="localhost")

    (line,) = standing.ingress.wait_for("refused")
    assert line["reason"] == "no_pq_group"
    assert "secp256r1" in line["offered"]


def test_a_client_that_nobody_allows_never_reaches_the_server(standing, sidecars):
    with standing.serving(echo) as server:
        beside = sidecars.start_egress(standing.ingress.listen, identity="stranger")
        with pytest.raises(ConnectionResetError):
            talk(beside.address)

        line, *_ = standing.ingress.wait_for("refused")  # it asks again and again

    assert line["reason"] == "not_allowed"
    assert "stranger" in line["identity"]
    assert not server.accepted


def test_a_server_that_is_not_the_expected_one_gets_no_byte(standing, sidecars):
    with standing.serving(echo) as server:
        expected = ["spiffe://test.internal/other"]
        beside = sidecars.start_egress(standing.ingress.listen, expect=expected)
        with pytest.raises(ConnectionResetError):
            talk(beside.address)

        (ejected,) = beside.wait_for("endpoint_ejected")
        (line,) = beside.wait_for("connection")

    assert ejected["reason"] == line["reason"] == "not_allowed"
    assert line["end_reason"] == "upstream_down"
    assert not server.accepted
