"""A server by OpenSSL for what an egress does alone: `python -m bench.tls_server PORT TICKETS …`.

After `PORT yes|no` come the paths of a root, a certificate and its key. The server wants a client
certificate of that root, says one byte over each connection, FULL or RESUMED, and waits for its
end. With tickets it gives two for each full handshake and one for each resumed; without it takes
none back (OpenSSL gives some all the same).
"""

import socket
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from OpenSSL import SSL

THREADS = 16  # connections at a time; each waits for its client's end
FULL, RESUMED = b"F", b"R"


def context(root: str, certificate: str, key: str, *, tickets: bool) -> SSL.Context:
    """TLS 1.3 with a client certificate."""
    made = SSL.Context(SSL.TLS_SERVER_METHOD)
    made.set_min_proto_version(SSL.TLS1_3_VERSION)
    made.load_verify_locations(root)
    made.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT)
    made.use_certificate_chain_file(certificate)
    made.use_privatekey_file(key)
    made.set_session_id(b"bench")  # or it resumes nobody whom it verified
    if not tickets:
        made.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        made.set_options(SSL.OP_NO_TICKET)
    return made


def serve(listener: socket.socket, tls: SSL.Context) -> None:
    """Shake hands until the process is ended."""
    with ThreadPoolExecutor(THREADS) as pool:
        while True:
            client, _ = listener.accept()
            pool.submit(_meet, client, tls)


def _meet(client: socket.socket, tls: SSL.Context) -> None:
    with client, suppress(SSL.Error, OSError):  # a probe, a client that left: who counts sees it
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = SSL.Connection(tls, client)
        connection.set_accept_state()
        connection.do_handshake()
        connection.send(RESUMED if is_resumed(connection) else FULL)
        with suppress(SSL.ZeroReturnError):  # its close_notify, which deserves an answer
            connection.recv(1)
        connection.shutdown()


def is_resumed(connection: SSL.Connection) -> bool:
    """Whether a ticket stood for the certificates."""
    return bool(SSL._lib.SSL_session_reused(connection._ssl))


if __name__ == "__main__":
    port, gives_tickets, *files = sys.argv[1:]
    serve(
        socket.create_server(("127.0.0.1", int(port)), backlog=4096),
        context(*files, tickets=gives_tickets == "yes"),
    )
