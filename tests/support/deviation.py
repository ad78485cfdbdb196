"""Two ends of ours of which one, the peer, deviates; the other is the subject.

    scene = Scene("server", alter={HandshakeType.FINISHED: shorter})   # the peer is the client
    scene.play()
    scene.alerts      # what the subject put on the wire: (level, description), under whichever keys

The peer alters messages on their way out, after it has hashed them; or it says records of its own
under any of its keys. What the subject sends is read with the subject's own key log.
"""

from dataclasses import dataclass, field

from pqproxy import tls
from pqproxy.tls.alerts import FatalAlert
from pqproxy.tls.codepoints import ContentType, HandshakeType
from pqproxy.tls.key_schedule import SUITES
from pqproxy.tls.output import Output
from pqproxy.tls.record import HEADER_LENGTH, ReceiveProtection, SendProtection, plaintext_record
from tests.support.hostile import GROUPS, leaf, message, records, seal
from tests.support.loopback import Endpoint, accept_every_chain

SUITE_BY_SECRET = {
    32: SUITES[tls.CipherSuite.TLS_AES_128_GCM_SHA256],
    48: SUITES[tls.CipherSuite.TLS_AES_256_GCM_SHA384],
}


class Secrets(dict):
    """A key log that keeps (suite, secret) by label."""

    def __call__(self, line):
        label, _client_random, value = line.split()
        secret = bytes.fromhex(value)
        self[label] = SUITE_BY_SECRET[len(secret)], tls.Secret(secret)


class AlteringOutput(Output):
    """An Output that changes messages of some types; the transcript knows nothing of it."""

    def __init__(self, output, alter, behind):
        super().__init__(padding=0, initial_version=0x0303)
        self._alter, self._behind = alter, behind
        for encoded in output._handshake:  # a client's hello is there from the start
            self._add(encoded)

    def send_handshake(self, sent):
        self._add(sent.encode())

    def _add(self, encoded):
        change = self._alter.get(encoded[0], lambda body: body)
        changed = change(encoded[4:])
        if changed is not None:  # None: the message is left out
            self._handshake.append(message(encoded[0], changed))
        self._handshake.append(self._behind.get(encoded[0], b""))


@dataclass
class Scene:
    """One subject and its peer.

    Attributes:
        role: of the subject.
        alter: message type -> body -> body, or None to leave the message out.
        behind: message type -> bytes that follow it in the same record.
        ours: how the subject is configured.
        theirs: how the peer is.
        judge: what the subject makes of the peer's chain.
    """

    role: str
    alter: dict = field(default_factory=dict)
    behind: dict = field(default_factory=dict)
    ours: dict = field(default_factory=dict)
    theirs: dict = field(default_factory=dict)
    judge: object = accept_every_chain
    peer_has_certificate: bool = False

    def __post_init__(self):
        self.secrets, self.peer_secrets, self.said = Secrets(), Secrets(), bytearray()
        self._keys = {}
        make, make_peer = Endpoint.server, Endpoint.client
        leaves, peer_leaves = (leaf(),), (leaf(),) if self.peer_has_certificate else ()
        if self.role == "client":
            make, make_peer, leaves, peer_leaves = make_peer, make, peer_leaves, leaves
        ours, theirs = {"groups": GROUPS, **self.ours}, {"groups": GROUPS, **self.theirs}
        self.subject = make(*leaves, judge=self.judge, key_log=self.secrets, **ours)
        self.peer = make_peer(*peer_leaves, key_log=self.peer_secrets, **theirs)
        connection = self.peer.connection
        connection._output = AlteringOutput(connection._output, self.alter, self.behind)

    # What happens

    def play(self):
        """Carry bytes both ways until neither side has any."""
        while True:
            to_peer, to_subject = self.hear(), self.peer.take()
            if not to_peer and not to_subject:
                return self
            if to_peer:
                self.peer.feed(to_peer)
            if to_subject:
                self.subject.feed(to_subject)

    def until_our_flight(self):
        """A server subject has answered; a client subject has read ServerHello and no more."""
        if self.role == "server":
            self.subject.feed(self.peer.take())
            self.hear()
            return self
        self.peer.feed(self.hear())
        self.subject.feed(records(self.peer.take())[0])
        self.hear()
        return self

    def hear(self):
        """Take what the subject says, and remember it."""
        said = self.subject.take()
        self.said += said
        return said

    # What the peer says that no message could

    def feed(self, data):
        self.subject.feed(data)
        self.hear()
        return self

    def says_plainly(self, content_type, content):
        return self.feed(plaintext_record(ContentType(content_type), content, 0x0303))

    def says(self, content_type, content, padding=0, stage="handshake"):
        """One record under the peer's key of that stage."""
        return self.feed(seal(self.key(stage), content_type, content, padding))

    def key(self, stage):
        label = self._label("client" if self.role == "server" else "server", stage)
        if label not in self._keys:
            self._keys[label] = SendProtection(*self.secrets[label])
        return self._keys[label]

    @staticmethod
    def _label(role, stage):
        middle = "_HANDSHAKE_TRAFFIC_SECRET" if stage == "handshake" else "_TRAFFIC_SECRET_0"
        return role.upper() + middle

    # What came of it

    @property
    def failure(self):
        return self.subject.failure

    @property
    def contents(self):
        """(content type, content) of every record that the subject sent."""
        stages, reading, found = ["application", "handshake"], None, []
        for record in records(bytes(self.said)):
            if record[0] != ContentType.APPLICATION_DATA:
                found.append((record[0], record[HEADER_LENGTH:]))
                continue
            content = _opened(reading, record)
            while content is None:
                reading = ReceiveProtection(*self.secrets[self._label(self.role, stages.pop())])
                content = _opened(reading, record)
            found.append(content)
            if content[0] == ContentType.HANDSHAKE and content[1][0] == HandshakeType.KEY_UPDATE:
                reading = reading.next_generation()
        return found

    @property
    def alerts(self):
        return [tuple(data) for kind, data in self.contents if kind == ContentType.ALERT]


def _opened(reading, record):
    if reading is None:
        return None
    try:
        kind, content = reading.unprotect(memoryview(bytearray(record)))
    except FatalAlert:
        return None
    return kind, bytes(content)


def assert_inert(connection):
    """Nothing that anybody does brings a dead connection to speak, or to say that it heard."""
    assert connection.closed
    connection.receive_data(plaintext_record(ContentType.HANDSHAKE, b"\1\0\0\0", 0x0303))
    connection.receive_data(plaintext_record(ContentType.ALERT, b"\1\0", 0x0303))
    for token in range(1, 4):
        connection.provide(token, b"signature")
        connection.provide(token, tls.Verdict.accept())
        connection.provide(token, RuntimeError("late"))
    connection.send_data(b"data")
    connection.send_close_notify()
    connection.abort(tls.AlertDescription.INTERNAL_ERROR)
    out = []
    connection.protect(memoryview(bytearray(1024)), HEADER_LENGTH, 4, out)
    connection.receive_eof()

    assert connection.next_event() is None
    assert connection.take_output() == b""
    assert out == []
    assert connection.held == 0
