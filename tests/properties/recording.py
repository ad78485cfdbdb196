"""One handshake with data, recorded so that each side can be given it again in any pieces.

Entropy is fixed and the server's one signature is kept, so a new connection makes the same keys
and takes the same bytes.
"""

from dataclasses import dataclass
from functools import cache

from pqproxy import tls
from tests.support import hostile
from tests.support.loopback import PROVIDER, credential, pump

CLIENT_ENTROPY = lambda length: b"\7" * length  # noqa: E731 - a value among values
SERVER_ENTROPY = lambda length: b"\x0b" * length  # noqa: E731 - as above


@cache
def _configs():
    groups = hostile.GROUPS
    server = tls.ServerConfig((credential(hostile.leaf()),), PROVIDER, groups=groups)
    return tls.ClientConfig(PROVIDER, groups=groups, key_shares=groups), server


class Side:
    """A connection that notes what happens to it, and what it received."""

    def __init__(self, connection, signature=None):
        self.connection = connection
        self.signature = signature  # to give again
        self.heard = bytearray()
        self.events = []
        self.received = bytearray()

    @classmethod
    def client(cls):
        return cls(tls.ClientConnection(_configs()[0], entropy=CLIENT_ENTROPY))

    @classmethod
    def server(cls, signature=None):
        return cls(tls.ServerConnection(_configs()[1], entropy=SERVER_ENTROPY), signature)

    @property
    def failure(self):
        return next((e for e in self.events if isinstance(e, tls.Failed)), None)

    def feed(self, data, room=0, hold=False):
        """Lend a buffer, walk it, and take it back."""
        self.heard += data[room:]
        self.connection.receive_data(data, room)
        if hold:
            self.connection.hold()
        while (event := self.connection.next_event()) is not None:
            self._on_event(event)

    def feed_eof(self):
        self.connection.receive_eof()
        self.feed(b"")

    def _on_event(self, event):
        match event:
            case tls.ApplicationData():
                self.received += event.fragment
                self.events.append(("data", len(event.fragment)))
            case tls.SignatureRequested():
                self.signature = self.signature or event.sign()
                self.connection.provide(event.token, self.signature)
                self.events.append("signed")
            case tls.ChainReceived():
                self.connection.provide(event.token, tls.Verdict.accept())
                self.events.append(("chain", event.chain))
            case _:
                self.events.append(event)

    def take(self):
        return self.connection.take_output()


@dataclass(frozen=True)
class Recording:
    """What each side heard, and what came of it."""

    to_client: bytes
    to_server: bytes
    signature: bytes
    client_events: list
    server_events: list
    received: bytes


@cache
def record():
    client, server = Side.client(), Side.server()
    pump(client, server)
    for side in (client, server):
        side.connection.send_data(bytes(range(256)) * 80)  # more than a record
        side.connection.send_data(b"short")
        side.connection.send_close_notify()
    pump(client, server)
    assert client.received == server.received == bytes(range(256)) * 80 + b"short"
    return Recording(
        bytes(client.heard),
        bytes(server.heard),
        server.signature,
        client.events,
        server.events,
        bytes(client.received),
    )
