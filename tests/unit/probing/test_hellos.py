import pytest

from pqproxy.probing.hellos import (
    FOREIGN_CLASSICAL,
    FOREIGN_POST_QUANTUM,
    older_hello,
    shareless_hello,
)
from pqproxy.probing.naming import POST_QUANTUM
from pqproxy.tls.messages import ClientHello
from pqproxy.tls.negotiation import read_offer
from tests.support import hostile
from tests.support.loopback import Endpoint
from tests.support.openssl_peer import OpenSslEndpoint


def offer(record):
    return read_offer(ClientHello.read(record[9:]))


def test_an_older_hello_knows_no_newer_version():
    found = offer(older_hello("llm.test"))

    assert found.supported_versions == ()
    assert found.server_name == "llm.test"
    assert not set(found.supported_groups) & POST_QUANTUM


@pytest.mark.parametrize("groups", [FOREIGN_POST_QUANTUM, FOREIGN_CLASSICAL])
def test_a_shareless_hello_lists_groups_and_shares_none(groups):
    found = offer(shareless_hello(groups, None))

    assert found.supported_groups == groups
    assert found.key_shares == ()
    assert found.server_name is None


def test_our_own_server_understands_both_and_refuses_as_it_should():
    for hello, alert in (
        (older_hello("llm.test"), "protocol_version"),
        (shareless_hello(FOREIGN_CLASSICAL, "llm.test"), "insufficient_security"),
    ):
        server = Endpoint.server(hostile.leaf())
        server.feed(hello)

        assert server.failure.alert_name == alert


def test_openssl_answers_the_older_hello_with_a_server_hello():
    server = OpenSslEndpoint.server(leaf=hostile.leaf(), groups=("x25519",))
    server.feed(older_hello("llm.test"))

    assert server.take()[:6:5] == bytes((22, 2))  # ServerHello
    assert server.error is None
