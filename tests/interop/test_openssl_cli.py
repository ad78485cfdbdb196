"""The system's OpenSSL 3.0 on the command line: classical groups, key updates, a cut hello.

It stands for the clients of today that know no hybrid group: only `policy: prefer` lets it in.
"""

import select
import socket

import pytest

from tests.interop.matrix import code_points, server_leaf
from tests.support import pki
from tests.support.loopback import Endpoint
from tests.support.openssl_cli import OpenSslProgram
from tests.support.sockets import DEADLINE, Server, dial, drive

pytestmark = [pytest.mark.interop, pytest.mark.peer("openssl-cli")]

PREFER = code_points("X25519MLKEM768", "x25519", "secp256r1")


def s_client(port, *more):
    return OpenSslProgram("s_client", "-connect", f"127.0.0.1:{port}", "-tls1_3", *more)


def s_server(leaf, directory, *more):
    """A listening s_server and its port."""
    certificate, key = leaf.write(directory)
    port = _free_port()
    program = OpenSslProgram(
        "s_server", "-accept", port, "-cert", certificate, "-key", key, "-tls1_3", *more
    )
    program.wait_for("ACCEPT")
    return program, port


def _free_port():
    """It prints no port when asked for any: pick one, in the hope that it stays free."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def prefer_server():
    return Endpoint.server(server_leaf(), groups=PREFER)


def test_a_client_of_today_is_served_where_policy_prefers(tmp_path):
    trust = pki.root().write(tmp_path)

    with (
        Server(prefer_server) as server,
        s_client(server.port, "-CAfile", trust, "-groups", "X25519") as client,
    ):
        client.wait_for(r"Verify return code: 0 \(ok\)")
        client.type("question")
        client.wait_for("question")

    assert server.endpoints[0].negotiated.group_name == "x25519"


@pytest.mark.parametrize("letter", ["K", "k"], ids=["and asks us for ours", "its own only"])
def test_an_openssl_client_updates_its_key(letter):
    """What comes after decrypts under the next key only, in both directions after `K`."""
    with Server(prefer_server) as server, s_client(server.port) as client:
        client.wait_for("Verify return code")
        for round_trip in range(3):
            client.type(letter)
            client.wait_for("KEYUPDATE")
            client.type(f"question {round_trip}")
            client.wait_for(f"question {round_trip}")

    assert server.endpoints[0].failure is None


@pytest.mark.parametrize("letter", ["K", "k"], ids=["and asks us for ours", "its own only"])
def test_an_openssl_server_updates_its_key(letter, tmp_path):
    client = Endpoint.client(groups=PREFER, key_shares=code_points("x25519"))
    server, port = s_server(server_leaf(), tmp_path)

    with server, dial(port, client) as sock:
        server.wait_for("CIPHER is")
        hear(client, sock, server, "before")
        for round_trip in range(3):
            server.type(letter)
            assert select.select([sock], [], [], DEADLINE)[0]  # its KeyUpdate: nothing else is due
            hear(client, sock, server, f"answer {round_trip}")
            client.send(f"question {round_trip}\n".encode())
            drive(client, sock, until=lambda: True)
            server.wait_for(f"question {round_trip}")

    assert client.failure is None
    assert client.negotiated.group_name == "x25519"


def hear(client, sock, server, line):
    """Type a line at the server and wait until our client has it."""
    server.type(line)
    drive(client, sock, until=lambda: line.encode() in client.received)


def test_our_client_is_asked_again_for_a_classical_group(tmp_path):
    """`prefer` on our side: hybrid shared, x25519 listed, and followed when asked for."""
    client = Endpoint.client(groups=PREFER)
    server, port = s_server(server_leaf(), tmp_path, "-groups", "P-256")

    with server, dial(port, client):
        server.wait_for("CIPHER is")

    assert client.negotiated.hello_retry
    assert client.negotiated.group_name == "secp256r1"


def test_a_hello_cut_into_many_records_is_read():
    """512 bytes a record is the least that OpenSSL cuts; many protocols make the hello long."""
    protocols = ",".join(f"protocol-{number:04}-of-many" for number in range(100))

    with (
        Server(prefer_server) as server,
        s_client(server.port, "-max_send_frag", "512", "-alpn", protocols) as client,
    ):
        client.wait_for("Verify return code")
        client.type("question")
        client.wait_for("question")

    assert server.endpoints[0].handshake_complete
