"""Full TLS handshakes against one server, by OpenSSL through pyOpenSSL, on a few threads.

`python -m bench.handshakes PORT SECONDS GROUP ROOT [CERTIFICATE KEY]`. Every connection is new,
offers no session, completes the handshake, says close_notify and FIN and waits for the server's
end: when it returns, the server has done all its work. A connection that negotiates another
group than GROUP ends the run.
"""

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from OpenSSL import SSL

from bench.gate import Work, serve_load

THREADS = 4  # OpenSSL works without the interpreter's lock; four keep the server's core busy


class Client:
    """Makes full handshakes with one server."""

    def __init__(self, port: int, group: str, root: str, pair: list[str]) -> None:
        self._port, self._group = port, group
        self._context = SSL.Context(SSL.TLS_CLIENT_METHOD)
        self._context.set_min_proto_version(SSL.TLS1_3_VERSION)
        self._context.load_verify_locations(root)
        self._context.set_verify(SSL.VERIFY_PEER)
        if pair:
            certificate, key = pair
            self._context.use_certificate_chain_file(certificate)
            self._context.use_privatekey_file(key)

    def handshake(self) -> None:
        """One connection, from SYN to the server's FIN."""
        with socket.create_connection(("127.0.0.1", self._port)) as transport:
            transport.settimeout(None)  # blocking, or OpenSSL answers WantRead
            connection = SSL.Connection(self._context, transport)
            connection.set_connect_state()
            connection.do_handshake()
            if connection.get_group_name() != self._group:
                raise ValueError(f"negotiated {connection.get_group_name()}, not {self._group}")
            connection.shutdown()
            transport.shutdown(socket.SHUT_WR)
            with suppress(SSL.Error):  # close_notify, FIN or RST: the end is all we wait for
                connection.recv(1)

    def repeat(self, deadline: float) -> int:
        """Handshakes one after another until the deadline; returns their number."""
        count = 0
        while time.perf_counter() < deadline:
            self.handshake()
            count += 1
        return count


def run(client: Client, seconds: float) -> int:
    """Handshakes from all threads."""
    deadline = time.perf_counter() + seconds
    with ThreadPoolExecutor(THREADS) as pool:
        return sum(pool.map(client.repeat, [deadline] * THREADS))


def main() -> None:
    port, seconds, group, root, *pair = sys.argv[1:]
    client = Client(int(port), group, root, pair)
    client.handshake()  # warm, and a wrong set-up is found before the clocks are read
    serve_load(lambda: Work(run(client, float(seconds))))


if __name__ == "__main__":
    main()
