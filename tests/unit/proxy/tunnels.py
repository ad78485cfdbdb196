"""Two tunnel links over a real connection, inside a test's own loop."""

import time

from pqproxy import tls
from pqproxy.proxy.descriptor import CLIENT, UPSTREAM
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.tunnel_link import TunnelLink
from pqproxy.tunnel import Budget, Role, Settings, Tunnel
from tests.support import pki
from tests.support.loopback import Endpoint

from .conftest import Recorder

LEAF = pki.root("ecdsa-p256").issue(dns=("llm.test",))


def accept(_chain):
    return tls.Verdict.accept()


def connections(world, small=False):
    """(the client's TlsDuplex, the server's), whose handshake is done."""
    near, far = world.tcp_pair(small)
    client = TlsDuplex(near, world.engine, UPSTREAM, Endpoint.client().connection, accept)
    server = TlsDuplex(far, world.engine, CLIENT, Endpoint.server(LEAF).connection, accept)
    world.until(lambda: client.handshake.done() and server.handshake.done())
    return client, server


class Tunnels:
    """An egress' link and an ingress', and the streams that come out of it."""

    def __init__(self, world, window=16_384, max_streams=1000, budget=1 << 24, small=False):
        self.world = world
        self.opened = []  # (stream, Open), as the ingress got them
        self.ended = {}  # role -> (end, detail)
        self.connections = connections(world, small)
        client, server = self.connections
        self.budget = Budget(budget)
        self.ingress = self._link(Role.INGRESS, server, Settings(2, window, max_streams))
        self.egress = self._link(Role.EGRESS, client, Settings(1, window, 0))
        world.until(lambda: self.egress.takes_streams and self.ingress.instance)

    def _link(self, role, connection, settings):
        budget = self.budget if role is Role.INGRESS else Budget()
        tunnel = Tunnel(role, settings, budget, connection.max_fragment, time.monotonic())
        link = TunnelLink(
            connection, tunnel, self.world.engine, lambda *came: self.opened.append(came)
        )
        link.on_gone = lambda end, detail: self.ended.__setitem__(role, (end, detail))
        return link

    def open(self):
        """(the egress' stream, its sink, the ingress' stream, its sink), both resumed."""
        before = len(self.opened)
        ours = self.egress.open("10.0.0.1:99")
        self.world.until(lambda: len(self.opened) > before)
        theirs = self.opened[-1][0]
        sinks = []
        for stream in (ours, theirs):
            sinks.append(Recorder())
            stream.attach(sinks[-1])
            stream.resume()
        return ours, sinks[0], theirs, sinks[1]
