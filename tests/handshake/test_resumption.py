"""Sessions resumed between two ends of ours: when they are, when not, and what is inherited."""

import pytest

from pqproxy import tls
from pqproxy.tls import AlertDescription, NamedGroup
from pqproxy.tls.codepoints import ContentType
from tests.support.hostile import Target, client_after_handshake, message
from tests.support.loopback import pump
from tests.support.resumption import HOUR, NOW, Resumption, received, tickets

HYBRID, OTHER, X25519 = (
    NamedGroup.X25519MLKEM768,
    NamedGroup.SecP256r1MLKEM768,
    NamedGroup.x25519,
)
REQUIRE = {"client_authentication": tls.ClientAuthentication.REQUIRE}
WHO = tls.Verdict.accept(b"who", NOW + 3 * HOUR)
NO = tls.Verdict.reject(AlertDescription.ACCESS_DENIED, "not on the list")
SHA256 = (tls.CipherSuite.TLS_AES_128_GCM_SHA256,)


def assert_resumed(client, server, resumed=True):
    assert client.handshake_complete
    assert server.handshake_complete
    assert client.negotiated.resumed is server.negotiated.resumed is resumed
    client.send(b"question")
    server.send(b"answer")
    pump(client, server)
    assert (bytes(server.received), bytes(client.received)) == (b"question", b"answer")


def test_a_resumed_connection_judges_and_signs_nothing_and_knows_who_is_there():
    scene = Resumption(WHO, **REQUIRE)
    first = scene.first_visit()

    client, server = scene.visit(first[0])

    assert_resumed(client, server)
    assert scene.judged == 0
    for side in (client, server):
        assert side.negotiated.authentication.identity == b"who"
        assert side.negotiated.signature_scheme is side.negotiated.peer_signature_scheme is None
        assert side.negotiated.peer_chain == ()
        assert side.negotiated.group == HYBRID


def test_tickets_follow_tickets_but_the_proof_is_never_renewed():
    """However often it is resumed, a session ends when the first proof does."""
    scene = Resumption(WHO, **REQUIRE)
    (ticket, _) = scene.first_visit()
    proof = ticket.session.authentication
    for hours in (1, 2):
        scene.clock.now = NOW + hours * HOUR
        client, server = scene.visit(ticket)
        assert_resumed(client, server)
        (ticket,) = received(client)
        assert ticket.session.authentication == proof
        assert server.negotiated.authentication.time == NOW
    assert ticket.session.end == NOW + 3 * HOUR  # with the certificate
    scene.clock.now = NOW + 3 * HOUR

    assert_resumed(*scene.visit(ticket), resumed=False)


def test_the_same_ticket_a_second_time_makes_other_keys():
    """A server of ours cannot know that it was used; the fresh key exchange keeps them apart."""
    scene = Resumption()
    ticket = scene.first_visit()[0]
    exported = set()
    for _ in range(2):
        client, server = scene.visit(ticket)
        assert_resumed(client, server)
        exported.add(client.connection.export_keying_material(b"test", b"", 32))

    assert len(exported) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"keys": (bytes(32),)},
        {"keys": ()},
        {"binding": b"another policy"},
        {"permits": lambda _: False},
    ],
    ids=["other keys", "no keys", "another policy", "no more permitted"],
)
def test_a_ticket_that_is_no_good_leads_to_a_full_handshake(changes):
    """In silence: who held it learns nothing, and is judged as anybody."""
    scene = Resumption()
    ticket = scene.first_visit()[0]
    other = scene.server(tickets=tickets(scene.clock, **changes))

    assert_resumed(*scene.visit(ticket, other), resumed=False)
    assert scene.judged == 1


def test_a_server_that_has_no_tickets_goes_on_as_ever():
    scene = Resumption()
    ticket = scene.first_visit()[0]
    client, server = scene.visit(ticket, scene.server(tickets=None))

    assert_resumed(client, server, resumed=False)
    assert received(client) == []


def test_a_ticket_that_has_ended_leads_to_a_full_handshake():
    scene = Resumption()
    ticket = scene.first_visit()[0]
    scene.clock.now += 8 * HOUR

    assert_resumed(*scene.visit(ticket), resumed=False)


def test_an_anonymous_ticket_is_no_good_where_a_certificate_is_required():
    scene = Resumption()
    ticket = scene.first_visit()[0]

    client, server = scene.visit(ticket, scene.server(**REQUIRE))

    assert_resumed(client, server, resumed=False)
    assert server.negotiated.peer_chain


@pytest.mark.parametrize("groups", [(HYBRID,), (OTHER, HYBRID)], ids=["at once", "after a retry"])
def test_an_anonymous_ticket_is_no_good_for_a_protocol_that_wants_a_certificate(groups):
    """With a ticket that was given for less, nobody would ever ask who comes."""
    asking = {
        "client_authentication": tls.ClientAuthentication.REQUEST,
        "alpn_protocols": (b"x",),
        "alpn_demand": tls.AlpnDemand.NONE,
        "certificate_protocols": (b"x",),
    }
    scene = Resumption()
    ticket = scene.first_visit()[0]
    offered = {"groups": (HYBRID, OTHER)}

    plain = scene.visit(ticket, scene.server(groups=groups, **asking), **offered)
    offered["alpn_protocols"] = (b"x",)
    strict = scene.visit(ticket, scene.server(groups=groups, **asking), **offered)

    assert_resumed(*plain)
    assert_resumed(*strict, resumed=False)
    assert strict[1].negotiated.peer_chain


@pytest.mark.parametrize("asked", [{"groups": (OTHER,)}, {"groups": (OTHER, X25519)}])
def test_a_resumption_is_asked_again_for_the_group_that_policy_wants(asked):
    scene = Resumption()
    ticket = scene.first_visit()[0]

    client, server = scene.visit(ticket, scene.server(**asked), groups=(HYBRID, OTHER))

    assert_resumed(client, server)
    assert client.negotiated.hello_retry
    assert server.negotiated.group == OTHER


def test_a_resumption_with_classical_groups_is_refused_as_anybody_is():
    scene = Resumption()
    ticket = scene.first_visit()[0]

    _, server = scene.visit(ticket, groups=(X25519,))

    assert server.failure.alert == AlertDescription.INSUFFICIENT_SECURITY


def test_where_classical_groups_are_allowed_they_resume_and_earn_no_ticket():
    scene = Resumption(groups=(HYBRID, X25519))
    ticket = scene.first_visit()[0]

    client, server = scene.visit(ticket, groups=(X25519,))

    assert_resumed(client, server)
    assert received(client) == []


def test_a_classical_connection_earns_no_ticket():
    scene = Resumption(groups=(X25519,))

    assert scene.first_visit(groups=(X25519,)) == []


@pytest.mark.parametrize("wanted", [True, False])
def test_a_client_is_told_of_tickets_only_if_it_can_use_them(wanted):
    """The server's first words after the handshake are its tickets, or there are none."""
    scene = Resumption()
    client = scene.client(**({} if wanted else {"clock": None}))
    server = scene.server()
    server.feed(client.take())
    client.feed(server.take())
    server.feed(client.take())

    assert server.handshake_complete
    assert bool(server.take()) is wanted


def test_a_session_under_another_hash_is_not_resumed():
    """The suite is chosen first; a ticket must fit it (§4.3.11)."""
    scene = Resumption()
    ticket = scene.first_visit()[0]

    client, server = scene.visit(ticket, scene.server(cipher_suites=SHA256))

    assert_resumed(client, server, resumed=False)


def test_name_and_protocol_are_those_of_the_new_hello():
    """RFC 9846 §4.7.1: what the application is told is what was said now."""
    scene = Resumption(alpn_protocols=(b"http/1.1",))
    ticket = scene.first_visit(server_name="one.test", alpn_protocols=(b"http/1.1",))[0]

    client, server = scene.visit(ticket, server_name="other.test")

    assert_resumed(client, server)
    assert server.negotiated.server_name == "other.test"
    assert server.negotiated.alpn_protocol is client.negotiated.alpn_protocol is None


def test_a_peer_that_was_refused_leaves_no_ticket():
    scene = Resumption(**REQUIRE)
    client, refusing = scene.client(), Resumption(NO, **REQUIRE).server()
    pump(client, refusing)

    assert refusing.failure.alert == AlertDescription.ACCESS_DENIED
    assert received(client) == []


@pytest.mark.parametrize("size", [1, 100])
def test_a_resumption_is_understood_in_any_pieces(size):
    scene = Resumption()
    client, server = scene.client(scene.first_visit()[0]), scene.server()
    pump(client, server, size=size)

    assert_resumed(client, server)


# Floods


def ticket_message(nonce):
    body = (HOUR).to_bytes(4, "big") + bytes(4) + b"\1" + bytes((nonce,)) + b"\0\1t\0\0"
    return message(4, body)


def test_a_flood_of_tickets_ends_the_connection():
    target: Target = client_after_handshake()
    for nonce in range(40):
        target.say(ContentType.HANDSHAKE, ticket_message(nonce))

    assert target.failure.alert == AlertDescription.UNEXPECTED_MESSAGE
    assert "32 handshake messages" in target.failure.reason


# Exporters


def test_both_ends_export_the_same_and_other_connections_something_else():
    scene = Resumption()
    made = set()
    for ticket in (None, *scene.first_visit()):
        client, server = scene.visit(ticket)
        exported = client.connection.export_keying_material(b"EXPORTER-x", b"context", 100)
        assert exported == server.connection.export_keying_material(b"EXPORTER-x", b"context", 100)
        made.add(exported)

    assert len(made) == 3


def test_nothing_is_exported_before_the_handshake_is_complete_or_after_a_failure():
    """A server has the secret with its own flight, when the client has not proved anything yet."""
    scene = Resumption()
    client, server = scene.client(), scene.server()
    server.feed(client.take())

    for end in (client, server):
        with pytest.raises(RuntimeError, match="complete handshake"):
            end.connection.export_keying_material(b"EXPORTER-x", b"", 32)
    pump(client, server)
    client, server = scene.visit()
    server.feed(b"\x17\3\3\0\x20" + bytes(32))
    with pytest.raises(RuntimeError, match="complete handshake"):
        server.connection.export_keying_material(b"EXPORTER-x", b"", 32)
