"""TLS handshakes against one server, by OpenSSL through pyOpenSSL, on a few threads.

`python -m bench.handshakes full|resumed PORT SECONDS GROUP ROOT [CERTIFICATE KEY]`. Every
connection is new, completes the handshake, says close_notify and FIN and waits for the server's
end: when it returns, the server has done all its work. A full one offers no session, a resumed
one what the connection before it was given. A connection that negotiates another group than
GROUP, or is not of the kind asked for, ends the run.
"""

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from OpenSSL import SSL

from bench.gate import Work, serve_load
from bench.tls_server import is_resumed

WARM_UP = 0.5  # seconds that nobody counts
THREADS = 4  # OpenSSL works without the interpreter's lock; four keep the server's core busy


class Client:
    """Makes handshakes with one server."""

    def __init__(self, resumed: bool, port: int, group: str, root: str, pair: list[str]) -> None:
        self._resumed, self._port, self._group = resumed, port, group
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_3_VERSION)
        self._context.load_verify_locations(root)
        self._context.set_verify(SSL.VERIFY_PEER)
        if pair:
            certificate, key = pair
            self._context.use_certificate_chain_file(certificate)
            self._context.use_privatekey_file(key)

    def handshake(self, session: SSL.Session | None) -> SSL.Session | None:
        """One connection, from SYN to the server's FIN; returns what it may be resumed by."""
        with socket.create_connection(("127.0.0.1", self._port)) as transport:
            transport.settimeout(None)  # blocking, or OpenSSL answers WantRead
            connection = SSL.Connection(self._context, transport)
            connection.set_connect_state()
            if session is not None:
                connection.set_session(session)
            connection.do_handshake()
            if connection.get_group_name() != self._group:
                raise ValueError(f"negotiated {connection.get_group_name()}, not {self._group}")
            if is_resumed(connection) != (session is not None):
                raise ValueError("the server did not take its ticket")
            connection.shutdown()
            transport.shutdown(socket.SHUT_WR)
            with suppress(SSL.Error):  # tickets, then close_notify, FIN or RST: all that is to come
                connection.recv(1)
            return connection.get_session() if self._resumed else None

    def repeat(self, session: SSL.Session | None, deadline: float) -> int:
        """Handshakes one after another until the deadline; returns their number."""
        count = 0
        while time.perf_counter() < deadline:
            session = self.handshake(session)
            count += 1
        return count


def run(client: Client, sessions: list[SSL.Session | None], seconds: float) -> Work:
    """Handshakes from all threads, a session to begin with for each."""
    deadline = time.perf_counter() + seconds
    with ThreadPoolExecutor(THREADS) as pool:
        return Work(sum(pool.map(client.repeat, sessions, [deadline] * THREADS)))


def main() -> None:
    kind, port, seconds, group, root, *pair = sys.argv[1:]
    client = Client(kind == "resumed", int(port), group, root, pair)
    # Warm, and a wrong set-up is found before the clocks are read.
    sessions = [client.handshake(None) for _ in range(THREADS)]
    run(client, sessions, WARM_UP)
    serve_load(lambda: run(client, sessions, float(seconds)))


if __name__ == "__main__":
    main()
