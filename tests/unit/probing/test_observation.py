from hypothesis import given
from hypothesis import strategies as st

from pqproxy.probing.observation import Observed, observe
from pqproxy.tls import ClientAuthentication, NamedGroup, SignatureScheme
from pqproxy.tls.codepoints import HandshakeType
from pqproxy.tls.messages import HandshakeMessage, ServerHello
from tests.support import hostile
from tests.support.loopback import Endpoint, pump


def messages_of(server, **client):
    """What a server says to a client of ours."""
    seen = []
    endpoint = Endpoint.client(**client)
    endpoint.connection.message_log = seen.append
    pump(endpoint, server)
    return seen


def test_a_flight_tells_the_group_the_chain_and_the_scheme():
    leaf = hostile.leaf("mldsa65")
    seen = messages_of(Endpoint.server(leaf))
    observed = observe(seen)

    assert observed.group == NamedGroup.X25519MLKEM768
    assert observed.chain == leaf.chain_der
    assert observed.signature_scheme == SignatureScheme.mldsa65
    assert observed.certificate_size == len(seen[2].encode()) > 2000
    assert observed.keys_agree
    assert not observed.wants_certificate
    assert not observed.asked_again
    assert not observe(seen[:1]).keys_agree


def test_being_asked_again_is_told_with_the_group():
    server = Endpoint.server(hostile.leaf(), groups=(NamedGroup.SecP256r1MLKEM768,))
    groups = (NamedGroup.X25519MLKEM768, NamedGroup.SecP256r1MLKEM768)
    observed = observe(messages_of(server, groups=groups))

    assert observed.asked_again
    assert observed.asked_again_for == observed.group == NamedGroup.SecP256r1MLKEM768


def test_a_request_for_a_certificate_is_told():
    server = Endpoint.server(hostile.leaf(), client_authentication=ClientAuthentication.REQUEST)

    assert observe(messages_of(server)).wants_certificate


def test_tickets_are_counted_and_nothing_said_is_nothing_observed():
    ticket = HandshakeMessage(HandshakeType.NEW_SESSION_TICKET, b"")

    assert observe([ticket, ticket]).tickets == 2
    assert observe([]) == Observed()


@given(st.lists(st.tuples(st.sampled_from(list(HandshakeType)), st.binary(max_size=80))))
def test_no_message_makes_it_fail(messages):
    """The engine has refused what is wrong; here it is passed over."""
    assert isinstance(observe([HandshakeMessage(*m) for m in messages]), Observed)


@given(st.binary(max_size=60))
def test_a_hello_with_any_key_share_is_read_or_passed_over(share):
    hello = ServerHello(bytes(32), b"", 0x1301, {51: share})

    assert isinstance(observe([hello.message()]), Observed)
