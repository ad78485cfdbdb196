"""Sessions that are resumed: a clock that is set by hand, a server's tickets, a client's.

scene = Resumption()
first, ticket, *more = scene.first_visit()
client, server = scene.visit(ticket)
server.negotiated.resumed
"""

from pqproxy import tls
from tests.support.hostile import leaf
from tests.support.loopback import Endpoint, pump

NOW = 1_800_000_000
KEY = bytes(range(32))
HOUR = 3600


class Clock:
    """Unix seconds, which pass when they are told to."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def tickets(clock, keys=(KEY,), binding=b"policy", permits=lambda _: True):
    """How a server gives and takes tickets."""
    return tls.Tickets(tls.TicketKeys(keys), binding, clock, permits)


def received(endpoint):
    """The tickets that a client was given."""
    return [event.ticket for event in endpoint.events if isinstance(event, tls.TicketReceived)]


class Resumption:
    """A client and a server of ours that meet more than once."""

    def __init__(self, verdict=tls.Verdict.accept(), **server_config):  # noqa: B008 - frozen
        self.clock = Clock()
        self.verdict = verdict
        self.server_config = {"tickets": tickets(self.clock), **server_config}
        self.judged = 0  # chains that somebody had to look at

    def server(self, **changes):
        return Endpoint.server(leaf(), judge=self._judge, **{**self.server_config, **changes})

    def client(self, ticket=None, **config):
        config = {"clock": self.clock, **config}
        return Endpoint.client(leaf(), judge=self._judge, ticket=ticket, **config)

    def visit(self, ticket=None, server=None, **config):
        """One connection: (client, server) after the handshake."""
        client, server = self.client(ticket, **config), server or self.server()
        pump(client, server)
        return client, server

    def first_visit(self, **config):
        """The tickets of a full handshake."""
        client, server = self.visit(**config)
        assert client.handshake_complete, server.failure
        assert not server.negotiated.resumed
        self.judged = 0
        return received(client)

    def _judge(self, _event):
        self.judged += 1
        return self.verdict
