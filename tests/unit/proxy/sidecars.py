"""Ingress and egress inside a test's own loop, with a model server played by hand."""

import contextlib
import socket

from pqproxy.config import values
from pqproxy.config.values import TcpAddress
from pqproxy.crypto import load_provider
from pqproxy.identity.own import Identity
from pqproxy.identity.trust import Trust
from pqproxy.proxy.egress import Egress
from pqproxy.proxy.ingress import Ingress
from pqproxy.proxy.service import Worker
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.tls import TicketKeys
from tests.support import pki

ROOT = pki.root("ecdsa-p256")
SERVER = ROOT.issue(uris=("spiffe://corp/ns/apps/sa/llm",), dns=("llm.test",))
CLIENT = ROOT.issue(uris=("spiffe://corp/ns/apps/sa/app",))
STRANGER = ROOT.issue(uris=("spiffe://corp/ns/other/sa/app",))
PROVIDER = load_provider()
MESH = Trust.load(values.TrustFiles("mesh", (ROOT.certificate_pem,), "mesh"))


def identity(leaf):
    return Identity.load(leaf.files(), pki.NOW)


def listening(host="127.0.0.1"):
    return socket.create_server((host, 0))


def address_of(sock):
    return TcpAddress(*sock.getsockname()[:2])


def worker(world, key_log=None, ticket_keys=()):
    keys = TicketKeys(ticket_keys)
    return Worker(world.engine, PROVIDER, lambda: world.now, key_log, ticket_keys=keys)


class Model:
    """A model server's listening socket; `accept` waits for who dials it."""

    def __init__(self, world):
        self._world = world
        self.sock = listening()
        self.sock.setblocking(False)
        self.address = address_of(self.sock)
        self.accepted = 0
        world.sockets.append(self.sock)

    def accept(self):
        found = []

        def tried():
            with contextlib.suppress(BlockingIOError):
                found.append(self.sock.accept()[0])
            return found

        self._world.until(tried)
        found[0].setblocking(False)
        self.accepted += 1
        self._world.sockets.append(found[0])
        return found[0]

    def dialled(self):
        """Whether somebody waits to be accepted."""
        try:
            self.sock.accept()[0].close()
        except BlockingIOError:
            return False
        return True


def ingress(world, forward, leaf=SERVER, key_log=None, ticket_keys=(), trust=MESH, **settings):
    """(a listening Ingress, its address)."""
    sock = listening()
    world.sockets.append(sock)
    wanted = values.Ingress(
        name="llm",
        listen=settings.pop("listen", address_of(sock)),
        forward=forward,
        identities=("own",),
        trust="mesh",
        **{"allow": ("spiffe://corp/ns/apps/sa/*",), **settings},
    )
    counters = ListenerCounters("llm", "ingress")
    hands = worker(world, key_log, ticket_keys)
    service = Ingress(wanted, hands, counters, [identity(leaf)], trust)
    service.listen([sock])
    world.services.append(service)
    return service, address_of(sock)


def egress(world, *connect, leaf=CLIENT, trust=MESH, kind=Egress, **settings):
    """(a listening Egress, its address)."""
    sock = listening()
    world.sockets.append(sock)
    wanted = values.Egress(
        name="to-llm",
        listen=address_of(sock),
        connect=connect,
        identities=("own",),
        trust="mesh",
        **{"expect": ("spiffe://corp/ns/apps/sa/llm",), **settings},
    )
    counters = ListenerCounters("to-llm", "egress")
    service = kind(wanted, worker(world), counters, [identity(leaf)] if leaf else [], trust)
    service.listen([sock])
    world.services.append(service)
    return service, address_of(sock)


def connect(world, address):
    """A client's socket."""
    sock = socket.create_connection((address.host, address.port))
    sock.setblocking(False)
    world.sockets.append(sock)
    return sock


def how_it_ends(world, sock):
    """ "fin" or "reset"."""
    seen = []

    def over():
        try:
            if sock.recv(1 << 16) == b"":
                seen.append("fin")
        except BlockingIOError:
            pass
        except ConnectionResetError:
            seen.append("reset")
        return seen

    world.until(over)
    return seen[0]
