import asyncio
import queue

import pytest

from pqproxy.checking.findings import Level
from pqproxy.checking.upstreams import check_upstreams
from tests.support.plain_server import serving
from tests.unit.checking.subjects import only

H2_SETTINGS = b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


def found(subject, may_dial=False):
    async def collect():
        return [finding async for finding in check_upstreams(subject, may_dial)]

    return asyncio.run(collect())


@pytest.fixture
def server():
    """A server that answers with `answer` once it is asked."""

    def behaviour(connection):
        if connection.recv(1024):
            connection.sendall(plain.answer)

    with serving(behaviour) as plain:
        plain.answer = b""
        yield plain


def test_nobody_is_connected_to_without_consent(place, server):
    """To some servers a connection without a request is a fault (G13 of what users suffer)."""
    finding = only(found(place.subject(forward=server.forward, alpn=["http/1.1"])), "upstream")

    assert finding.level is Level.GOOD
    assert finding.message.endswith("listens; it was not connected to")
    assert server.accepted == []


def test_a_server_that_is_not_up_is_a_failure_seen_without_a_connection(place, free_port):
    finding = only(found(place.subject(forward=f"127.0.0.1:{free_port}")), "upstream")

    assert finding.level is Level.FAILURE


def test_what_cannot_be_seen_from_here_names_the_consent(place):
    subject = place.subject(forward="192.0.2.1:80", unsafe_remote_plaintext=True)

    finding = only(found(subject), "upstream")

    assert finding.level is Level.WARNING
    assert "--dial-upstreams" in finding.hint


def test_with_consent_bytes_are_sent_only_where_the_protocol_is_known(place):
    heard = queue.SimpleQueue()

    with serving(lambda connection: heard.put(connection.recv(1024))) as silent:
        finding = only(found(place.subject(forward=silent.forward), may_dial=True), "upstream")

        assert finding.level is Level.GOOD
        assert heard.get(timeout=20) == b""


def test_with_consent_nobody_there_is_a_failure(place, free_port):
    subject = place.subject(forward=f"127.0.0.1:{free_port}")

    assert only(found(subject, may_dial=True), "upstream").level is Level.FAILURE


@pytest.mark.parametrize(
    ("protocol", "answer", "level"),
    [
        ("http/1.1", b"HTTP/1.1 404 Not Found\r\n\r\n", Level.GOOD),
        ("h2", H2_SETTINGS, Level.GOOD),
        ("h2", b"HTTP/1.1 400 Bad Request\r\n\r\n", Level.WARNING),
        ("http/1.1", H2_SETTINGS, Level.WARNING),
        ("http/1.1", b"\xff", Level.WARNING),
    ],
)
def test_an_alpn_that_the_server_does_not_speak_is_found(place, server, protocol, answer, level):
    """A client relies on it: it would talk to a wall."""
    server.answer = answer
    subject = place.subject(forward=server.forward, alpn=[protocol])

    assert only(found(subject, may_dial=True), "alpn").level is level
