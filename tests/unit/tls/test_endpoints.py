import pytest

from pqproxy import tls
from pqproxy.tls.codepoints import ContentType
from pqproxy.tls.messages import ClientHello
from tests.support import hostile
from tests.support.loopback import PROVIDER, Endpoint, pump

HYBRID = tls.NamedGroup.X25519MLKEM768


def test_the_hello_of_a_client_waits_from_the_start():
    connection = tls.ClientConnection(tls.ClientConfig(PROVIDER))
    first, *more = hostile.records(connection.take_output())

    assert not more
    assert first[:3] == bytes.fromhex("160301")  # what old middleboxes expect of a first record
    assert connection.client_random == ClientHello.read(first[9:]).random
    assert connection.next_event() is None


def test_a_server_has_nothing_to_say_at_first():
    server = hostile.fresh_server().endpoint.connection

    assert server.take_output() == b""
    assert server.next_event() is None
    assert not server.handshake_complete
    assert not server.closed


def test_the_entropy_decides_what_is_random():
    config = tls.ClientConfig(PROVIDER)
    hellos = [
        tls.ClientConnection(config, entropy=lambda n: bytes(range(n))).take_output()
        for _ in range(2)
    ]

    assert hellos[0] == hellos[1]
    assert tls.ClientConnection(config).take_output() != tls.ClientConnection(config).take_output()


def test_client_and_server_meet():
    server = Endpoint.server(hostile.leaf())
    client = Endpoint.client()
    pump(client, server)
    client.send(b"question")
    server.send(b"answer")
    pump(client, server)

    assert client.negotiated.group == server.negotiated.group == HYBRID
    assert (bytes(server.received), bytes(client.received)) == (b"question", b"answer")


def test_both_key_logs_agree_line_by_line():
    logs = [], []
    server = Endpoint.server(hostile.leaf(), key_log=logs[0].append)
    client = Endpoint.client(key_log=logs[1].append)
    pump(client, server)

    assert sorted(logs[0]) == sorted(logs[1])
    assert len(logs[0]) == 4
    assert all(line.split()[1] == client.connection.client_random.hex() for line in logs[0])


def test_a_server_may_not_see_a_compatibility_record_before_a_hello():
    server = hostile.fresh_server()
    server.say_plainly(ContentType.CHANGE_CIPHER_SPEC, b"\1")

    assert server.failure.alert == tls.AlertDescription.UNEXPECTED_MESSAGE


def test_a_client_may_see_one_before_the_server_hello():
    client = hostile.fresh_client()
    client.say_plainly(ContentType.CHANGE_CIPHER_SPEC, b"\1")

    assert client.failure is None


@pytest.mark.parametrize("make", [hostile.fresh_server, hostile.fresh_client])
def test_an_answer_in_http_is_recognised(make):
    target = make()
    target.endpoint.feed(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert target.failure.not_tls
    assert target.failure.plaintext
    assert target.endpoint.closed
