"""What holds for every hello that offers a ticket: changed in any way, it resumes nothing."""

from functools import cache

from hypothesis import given, settings
from hypothesis import strategies as st

from pqproxy import tls
from pqproxy.tls.codepoints import ExtensionType
from pqproxy.tls.messages import HandshakeMessage, ServerHello
from tests.support.hostile import GROUPS, in_records, records
from tests.support.resumption import HOUR, Resumption

SHA384 = tls.CipherSuite.TLS_AES_256_GCM_SHA384
HEADERS = 5 + 4  # of the record and of the message


@cache
def scene():
    """A server of ours, and the body of a hello that it resumes."""
    made = Resumption(groups=(*tls.HYBRID_GROUPS, *GROUPS))
    ticket = made.first_visit()[0]
    return made, made.client(ticket, groups=GROUPS).take()[HEADERS:]


def answer(body):
    """(a server that was told this hello, whether it resumes)."""
    server = scene()[0].server()
    server.feed(in_records(HandshakeMessage(1, body)))
    said = records(server.take())
    if server.failure is not None:
        return server, False
    return server, ExtensionType.PRE_SHARED_KEY in ServerHello.read(said[0][HEADERS:]).extensions


def test_as_it_is_it_resumes():
    assert answer(scene()[1])[1]


@settings(max_examples=300)
@given(st.integers(0, 10_000), st.integers(1, 255))
def test_a_hello_that_was_changed_anywhere_resumes_nothing(position, mask):
    """The binder covers all of it, the list of binders apart, and that is compared."""
    body = bytearray(scene()[1])
    body[position % len(body)] ^= mask
    server, resumes = answer(bytes(body))

    assert not resumes
    if server.failure is not None:
        assert server.failure.cause is None


@settings(max_examples=100)
@given(st.binary(min_size=1, max_size=300))
def test_any_bytes_for_a_ticket_lead_to_a_full_handshake(identity):
    made, _ = scene()
    proof = tls.Authentication.made((), b"", made.clock())
    session = tls.Session(SHA384, tls.Secret(bytes(48)), proof, made.clock() + HOUR)
    offered = tls.SessionTicket(session, identity, 0, made.clock())
    client, server = made.visit(offered, groups=GROUPS)

    assert client.handshake_complete
    assert server.handshake_complete
    assert not client.negotiated.resumed
