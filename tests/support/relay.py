"""The smallest sidecar: our TLS on one side of a select loop, plaintext on the other.

For peers that want a whole server behind the handshake. It has none of the care of the real
proxy: it ends both directions when either side ended.
"""

import select
import socket
from contextlib import suppress

from tests.support.sockets import DEADLINE, READ_SIZE, Listener, linger


def ingress(make_endpoint, upstream_port):
    """TLS in, plaintext to `upstream_port`."""

    def handle(sock):
        with socket.create_connection(("127.0.0.1", upstream_port)) as upstream:
            _relay(make_endpoint(), sock, upstream)

    return Listener(handle)


def egress(make_endpoint, server_port):
    """Plaintext in, TLS to `server_port`."""

    def handle(sock):
        with socket.create_connection(("127.0.0.1", server_port)) as server:
            _relay(make_endpoint(), server, sock)

    return Listener(handle)


def _relay(endpoint, outer, inner):
    """Carry bytes between the TLS socket `outer` and the plaintext socket `inner`."""
    outer.settimeout(DEADLINE)
    inner.settimeout(DEADLINE)
    with suppress(ConnectionError):  # a side that is done may leave in the middle of a word
        while _step(endpoint, outer, inner):
            pass
        endpoint.close()
        outer.sendall(endpoint.take())
    linger(outer)


def _step(endpoint, outer, inner):
    """Carry what is there; whether both sides go on."""
    outer.sendall(endpoint.take())
    readable, _, _ = select.select([outer, inner], [], [], DEADLINE)
    if inner in readable and endpoint.handshake_complete:
        if not (data := inner.recv(READ_SIZE)):
            return False
        endpoint.send(data)
    if outer in readable:
        if not (data := outer.recv(READ_SIZE)):
            return False
        endpoint.feed(data)
        inner.sendall(endpoint.received)
        endpoint.received.clear()
    return bool(readable) and not endpoint.closed and not endpoint.peer_closed
