"""No secret shows in what a log, a traceback or a debugger prints; a key log is the one way out."""

import os
import sys
from dataclasses import fields, is_dataclass

import pytest

from pqproxy import tls
from pqproxy.tls import NamedGroup
from pqproxy.tls.handshake import Over
from tests.support.deviation import Scene
from tests.support.hostile import leaf
from tests.support.loopback import PROVIDER, Endpoint, credential, pump
from tests.support.resumption import Clock, Resumption, tickets

HYBRID, X25519 = NamedGroup.X25519MLKEM768, NamedGroup.x25519
GROUPS = (X25519, HYBRID)
LABELS = [
    "SERVER_HANDSHAKE_TRAFFIC_SECRET",
    "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
    "SERVER_TRAFFIC_SECRET_0",
    "CLIENT_TRAFFIC_SECRET_0",
]


class Recorder:
    """Entropy that remembers what it gave away: private keys, and what goes out in the hello."""

    def __init__(self):
        self.given = []

    def __call__(self, length):
        self.given.append(os.urandom(length))
        return self.given[-1]


def reachable(root):
    """Everything that hangs on an object, whatever it is made of."""
    found, pending = {}, [root]
    while pending:
        thing = pending.pop()
        if id(thing) in found or isinstance(thing, (str, int, float, type(None), type)):
            continue
        found[id(thing)] = thing
        if isinstance(thing, dict):
            pending += thing.values()
        elif isinstance(thing, (tuple, list, set, frozenset)) or type(thing).__name__ == "deque":
            pending += thing
        elif is_dataclass(thing):
            pending += (getattr(thing, field.name) for field in fields(thing))
        elif type(thing).__module__.startswith("pqproxy"):
            names = [n for kind in type(thing).__mro__ for n in getattr(kind, "__slots__", ())]
            names += getattr(thing, "__dict__", {})
            pending += (getattr(thing, name) for name in names if hasattr(thing, name))
    return list(found.values())


def secrets_of(things):
    return {bytes(t.expose()) for t in things if isinstance(t, tls.Secret)}


def assert_hidden(things, secrets):
    # Bare bytes are public here: randoms, certificates, what was or will be on the wire.
    printable = [t for t in things if not isinstance(t, (bytes, bytearray, memoryview))]
    text = "\n".join(f"{thing!r} {thing!s}" for thing in printable)
    for secret in secrets:
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text
        assert repr(list(secret))[1:-1] not in text


class Watched(Endpoint):
    """After every event, everything the connection holds and says is looked at."""

    def watch(self, entropy):
        self.entropy, self.seen, self.drawn, self.sent = entropy, set(), set(), b""
        return self

    def _drain(self):
        while (event := self.connection.next_event()) is not None:
            self.look(event)
            if isinstance(event, tls.SignatureRequested):
                self.connection.provide(event.token, event.sign())
            elif isinstance(event, tls.ChainReceived):
                self.connection.provide(event.token, tls.Verdict.accept())
            self.look(event)
        self.look(None)

    def look(self, event):
        things = reachable([self.connection, event])
        self.seen |= secrets_of(things)
        self.drawn |= {given for given in self.entropy.given if given not in self.said()}
        assert_hidden(things, self.seen | self.drawn)

    def said(self):
        """A random and a session id are drawn like keys, and go out in a hello."""
        output = self.connection._output
        self.sent += b"".join([*output._queue, *output._handshake])
        return self.sent


@pytest.fixture
def watched():
    """A client and a server, both with certificates, whose first share does not fit."""
    ours, theirs = Recorder(), Recorder()
    own = (credential(leaf("mldsa65")), credential(leaf()))
    server_config = tls.ServerConfig(
        own,
        PROVIDER,
        groups=(HYBRID,),
        client_authentication=tls.ClientAuthentication.REQUIRE,
        tickets=tickets(Clock()),
    )
    client_config = tls.ClientConfig(
        PROVIDER,
        groups=GROUPS,
        key_shares=(X25519,),
        credentials=(credential(leaf()),),
        clock=Clock(),
    )
    server = Watched(tls.ServerConnection(server_config, entropy=ours)).watch(ours)
    client = Watched(tls.ClientConnection(client_config, entropy=theirs)).watch(theirs)
    client.said()
    return client, server


def test_nothing_that_hangs_on_a_connection_prints_a_secret_at_any_step(watched):
    client, server = watched
    pump(client, server)

    assert client.handshake_complete
    assert server.handshake_complete
    assert client.negotiated.hello_retry
    # There was something to be found: traffic secrets that both had, and private keys.
    assert len(client.seen & server.seen) >= 4
    assert {len(drawn) for drawn in client.drawn} == {32, 64}  # x25519, twice, and ML-KEM
    assert {len(drawn) for drawn in server.drawn} == {32}


def test_the_look_finds_what_it_looks_for():
    """A test that cannot fail would be worth nothing."""
    secret = b"correct horse battery staple!!!!"

    for leak in ([secret.hex()], [f"key {secret!r}"], [str(list(secret))]):
        with pytest.raises(AssertionError):
            assert_hidden(reachable(leak) + leak, {secret})


def test_a_failed_connection_holds_no_secret_any_more():
    client, server = Endpoint.client(groups=GROUPS), Endpoint.server(leaf(), groups=GROUPS)
    pump(client, server)
    assert secrets_of(reachable(server.connection))

    server.feed(b"\x17\3\3\0\x20" + bytes(32))

    assert not secrets_of(reachable(server.connection))
    assert isinstance(server.connection._state, Over)


def test_a_failure_of_our_own_tells_no_secret():
    def failing(_event):
        return RuntimeError("key b'0123456789abcdef' is unusable")

    scene = Scene("client", judge=failing).play()

    assert "0123456789abcdef" not in f"{scene.failure!r} {scene.failure!s} {scene.failure.reason}"


def test_a_ticket_and_whoever_resumes_with_it_print_no_key():
    scene = Resumption()
    ticket = scene.first_visit()[0]
    client, server = scene.visit(ticket)
    things = reachable([ticket, client.connection, server.connection, client.events])
    keys = secrets_of(things)

    assert server.negotiated.resumed
    assert ticket.session.psk.expose() in keys
    assert_hidden(things, {*keys, ticket.ticket})


# The key log


@pytest.mark.parametrize("retry", [False, True])
def test_a_key_log_has_the_four_lines_that_every_tool_reads(retry):
    ours, theirs = [], []
    client = Endpoint.client(groups=GROUPS[::-1], key_shares=GROUPS[:1], key_log=theirs.append)
    groups = (HYBRID,) if retry else (X25519,)
    server = Endpoint.server(leaf(), groups=groups, key_log=ours.append)
    pump(client, server)

    assert client.negotiated.hello_retry is retry
    assert [line.split()[0] for line in ours] == LABELS
    assert sorted(ours) == sorted(theirs)
    random = client.connection.client_random.hex()
    for line in ours:
        label, named, secret = line.split(" ")
        assert line == f"{label} {named} {secret}"
        assert named == random
        assert len(bytes.fromhex(secret)) == 48


def test_without_a_key_log_no_secret_is_ever_exposed_but_to_be_used(monkeypatch):
    """Every exposure happens within the key schedule or the key exchange, never for a log."""
    exposed_by = set()
    expose = tls.Secret.expose

    def watched(secret):
        exposed_by.add(sys._getframe(1).f_code.co_name)
        return expose(secret)

    monkeypatch.setattr(tls.Secret, "expose", watched)
    client, server = Endpoint.client(groups=(HYBRID,)), Endpoint.server(leaf(), groups=(HYBRID,))
    pump(client, server)

    assert client.handshake_complete
    assert "_log" not in exposed_by
    assert exposed_by


def test_a_key_log_that_fails_ends_the_connection_and_not_the_process():
    def full(_line):
        raise OSError("no space left on device")

    client = Endpoint.client(groups=GROUPS)
    server = Endpoint.server(leaf(), groups=GROUPS, key_log=full)
    pump(client, server)

    assert server.failure.alert == tls.AlertDescription.INTERNAL_ERROR
    assert client.failure.reason == "peer said internal_error (unauthenticated)"
