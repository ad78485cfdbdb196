"""Drive our connections without sockets: `pump` carries bytes between two ends until both rest.

    server = Endpoint.server(leaf, groups=(NamedGroup.X25519MLKEM768,))
    client = OpenSslEndpoint.client(trust=root)
    pump(client, server)
    client.send(b"question")
    pump(client, server)

`Endpoint` answers what a proxy would: it signs at once, and accepts every chain unless it was
given a `judge`. Anything with `feed` and `take` can be the other end.
"""

from pqproxy import tls
from pqproxy.crypto import load_provider

PROVIDER = load_provider()


def credential(leaf):
    """A leaf of `tests.support.pki` as the engine wants it."""
    return tls.Credential(leaf.chain_der, leaf.key, leaf.key_algorithm)


def accept_every_chain(_event):
    return tls.Verdict.accept()


class Endpoint:
    """One connection of ours: application data in `received`, other events in `events`."""

    def __init__(self, connection, judge=accept_every_chain):
        self.connection = connection
        self.received = bytearray()
        self.fragments = []  # the length of each record of application data
        self.events = []
        self.closing = False  # we sent close_notify
        self._judge = judge

    @classmethod
    def server(cls, *leaves, judge=accept_every_chain, key_log=None, **config):
        credentials = tuple(credential(leaf) for leaf in leaves)
        wanted = tls.ServerConfig(credentials, PROVIDER, **config)
        return cls(tls.ServerConnection(wanted, key_log=key_log), judge)

    @classmethod
    def client(cls, *leaves, judge=accept_every_chain, key_log=None, ticket=None, **config):
        """Shares a key for its first group, unless `key_shares` says otherwise."""
        credentials = tuple(credential(leaf) for leaf in leaves)
        if "groups" in config:
            config = {"key_shares": config["groups"][:1], **config}
        wanted = tls.ClientConfig(PROVIDER, credentials=credentials, **config)
        return cls(tls.ClientConnection(wanted, key_log=key_log, ticket=ticket), judge)

    @property
    def negotiated(self):
        return self.connection.negotiated

    @property
    def handshake_complete(self):
        return self.connection.handshake_complete

    @property
    def closed(self):
        """Nothing more can be sent or received."""
        return self.connection.closed

    @property
    def peer_closed(self):
        return any(isinstance(event, tls.PeerClosed) for event in self.events)

    @property
    def failure(self):
        """The Failed event, or None."""
        failures = (event for event in self.events if isinstance(event, tls.Failed))
        return next(failures, None)

    def feed(self, data):
        self.connection.receive_data(data)
        self._drain()

    def feed_eof(self):
        self.connection.receive_eof()
        self._drain()

    def take(self):
        return self.connection.take_output()

    def send(self, data):
        self.connection.send_data(data)

    def close(self):
        """Send close_notify; the other direction stays open."""
        self.closing = True
        self.connection.send_close_notify()

    def _drain(self):
        while (event := self.connection.next_event()) is not None:
            match event:
                case tls.ApplicationData():
                    self.received += event.fragment
                    self.fragments.append(len(event.fragment))
                case tls.SignatureRequested():
                    self.connection.provide(event.token, event.sign())
                case tls.ChainReceived():
                    self.connection.provide(event.token, self._judge(event))
                case _:
                    self.events.append(event)


def pump(left, right, size=None):
    """Carry bytes both ways until neither has any, in pieces of `size` where it is given."""
    while True:
        to_right, to_left = left.take(), right.take()
        if not to_right and not to_left:
            return
        for piece in pieces(to_right, size):
            right.feed(piece)
        for piece in pieces(to_left, size):
            left.feed(piece)


def pieces(data, size):
    """Cut bytes into pieces; without a size they are one piece."""
    step = size or max(len(data), 1)
    return [data[start : start + step] for start in range(0, len(data), step)]
