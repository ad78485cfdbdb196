import asyncio
import socket

import pytest

from pqproxy.config.values import TcpAddress
from pqproxy.probing.handshake import Outcome
from pqproxy.probing.hellos import FOREIGN_CLASSICAL, older_hello, shareless_hello
from pqproxy.probing.question import ask
from pqproxy.tls import NamedGroup
from tests.support.hostile import leaf
from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.plain_server import serving
from tests.support.sockets import Server

OLDER = older_hello("llm.test")


def asked(port, hello=OLDER, patience=10):
    return asyncio.run(ask(TcpAddress("127.0.0.1", port), hello, patience))


def answered_with(data):
    def behaviour(connection):
        connection.recv(65536)
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with serving(behaviour) as server:
        return asked(server.address[1])


def openssl(hello, own=None):
    def make():
        return OpenSslEndpoint.server(leaf=own or leaf(), groups=("X25519MLKEM768", "P-521"))

    with Server(make) as server:
        return asked(server.port, hello)


def test_a_server_that_takes_tls_1_2_says_so():
    own = leaf()
    answer = openssl(OLDER, own)

    assert answer.outcome is Outcome.COMPLETED
    assert answer.version == 0x0303
    assert answer.chain == own.chain_der
    assert not answer.asked_again


@pytest.mark.parametrize("closing", ["0100", "0228"], ids=["close_notify", "fatal"])
def test_a_server_of_tls_1_2_may_go_on_after_a_warning(closing):
    """It warns that it does not know our name, and serves us: that is no refusal."""
    warning = bytes.fromhex("15030300020170")
    served = answered_with(warning + OLDER_HELLO)
    refused = answered_with(warning + bytes.fromhex("1503030002" + closing))

    assert (served.outcome, served.version) == (Outcome.COMPLETED, 0x0303)
    assert refused.outcome is Outcome.REFUSED
    assert answered_with(warning).outcome is Outcome.CLOSED


OLDER_HELLO = bytes.fromhex("160303002a02000026" + "0303" + "00" * 32 + "00" + "c02f" + "00")


@pytest.mark.parametrize(
    "behind",
    [
        b"",
        bytes.fromhex("16030300040b000000"),
        bytes.fromhex("16030300070b000003000001"),
        bytes.fromhex("16030300040e000000"),
        bytes.fromhex("15030300020228"),
        b"HTTP/1.1",
    ],
    ids=["nothing", "empty", "damaged", "no-certificate", "alert", "text"],
)
def test_an_older_server_is_one_whatever_follows_its_hello(behind):
    answer = answered_with(OLDER_HELLO + behind)

    assert answer.outcome is Outcome.COMPLETED
    assert answer.version == 0x0303
    assert answer.chain == ()


def test_a_certificate_without_a_hello_is_no_answer():
    assert answered_with(bytes.fromhex("16030300040b000000")).outcome is Outcome.FAILED


def test_a_group_that_is_known_is_asked_for():
    answer = openssl(shareless_hello(FOREIGN_CLASSICAL, "llm.test"))

    assert answer.outcome is Outcome.COMPLETED
    assert answer.asked_again
    assert answer.version == 0x0304
    assert answer.group == 0x0019


def test_groups_that_are_not_known_are_refused():
    answer = openssl(shareless_hello((NamedGroup.secp384r1,), "llm.test"))

    assert answer.outcome is Outcome.REFUSED
    assert answer.alert == 40


@pytest.mark.parametrize(
    ("data", "outcome"),
    [
        (bytes.fromhex("15030300020246"), Outcome.REFUSED),
        (b"HTTP/1.1 400 Bad Request\r\n", Outcome.NOT_TLS),
        (bytes.fromhex("1603030004020000ff") + bytes(255), Outcome.FAILED),
        (bytes.fromhex("170303000100"), Outcome.FAILED),
        (bytes.fromhex("1503030001"), Outcome.CLOSED),  # half a record
    ],
    ids=["alert", "http", "no-hello", "data", "half"],
)
def test_whatever_comes_is_an_answer(data, outcome):
    assert answered_with(data).outcome is outcome


def test_who_says_nothing_costs_the_patience_and_no_more():
    with serving(lambda connection: connection.recv(65536) and connection.recv(1)) as server:
        assert asked(server.address[1], patience=0.2).outcome is Outcome.SILENT


def test_who_leaves_has_answered_too():
    with serving(lambda connection: connection.recv(1 << 16)) as server:
        assert asked(server.address[1]).outcome is Outcome.CLOSED


def test_a_flood_is_left():
    def flood(connection):
        while True:
            connection.sendall(bytes.fromhex("160303400002003fff") + bytes(0x3FFC))

    with serving(flood) as server:
        assert asked(server.address[1]).outcome is Outcome.FAILED
