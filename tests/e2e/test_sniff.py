"""`pqproxy sniff` as users type it, with the clients that they have."""

import contextlib
import json
import re
import socket
import ssl
import subprocess
import sys

import grpc
import pytest
from curl_cffi import requests
from OpenSSL import SSL

from tests.support.peers import java_command, node_command, openssl_command
from tests.support.sidecars import egress, free_port

JAVA = """
public class Call {
    public static void main(String[] port) throws Exception {
        new java.net.URL("https://localhost:" + port[0] + "/").openStream();
    }
}
"""


class Sniffer:
    """The running command; `port` is where it listens."""

    def __init__(self, *arguments):
        command = [sys.executable, "-P", "-m", "pqproxy", "sniff", "-o", "json", *arguments]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.port = int(re.search(r"listening on \S+:(\d+)", self.process.stderr.readline())[1])

    def result(self):
        """Its exit code and what it told."""
        out, error = self.process.communicate(timeout=30)
        assert "Traceback" not in error
        return self.process.returncode, [json.loads(line) for line in out.splitlines()]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


def run(*command):
    subprocess.run([*map(str, command)], capture_output=True, timeout=60, check=False)


def call_with_python(port, _directory):
    context = ssl.create_default_context()
    with (
        contextlib.suppress(ssl.SSLError),
        socket.create_connection(("127.0.0.1", port), timeout=10) as sock,
    ):
        context.wrap_socket(sock, server_hostname="localhost")


def call_with_pyopenssl(port, _directory):
    with socket.create_connection(("127.0.0.1", port)) as sock:
        connection = SSL.Connection(SSL.Context(SSL.TLS_METHOD), sock)
        connection.set_connect_state()
        with contextlib.suppress(SSL.Error):
            connection.do_handshake()


def call_with_node(port, _directory):
    run(node_command(), "-e", f"require('https').get('https://localhost:{port}/')")


def call_with_openssl(port, _directory):
    run(openssl_command(), "s_client", "-connect", f"127.0.0.1:{port}")


def call_with_openssl_and_tls_1_2(port, _directory):
    run(openssl_command(), "s_client", "-tls1_2", "-connect", f"127.0.0.1:{port}")


def call_with_java(port, directory):
    source = directory / "Call.java"
    source.write_text(JAVA)
    run(java_command(), source, port)


def call_with_chrome(port, _directory):
    with contextlib.suppress(requests.exceptions.RequestException):
        requests.get(f"https://localhost:{port}/", impersonate="chrome", timeout=10)


def call_with_grpc(port, _directory):
    with (
        grpc.secure_channel(f"localhost:{port}", grpc.ssl_channel_credentials()) as channel,
        contextlib.suppress(grpc.RpcError),
    ):
        channel.unary_unary("/a/b")(b"", timeout=10)


def peer(name):
    return pytest.mark.peer(name)


@pytest.mark.parametrize(
    ("call", "code", "family", "protocol"),
    [
        pytest.param(call_with_pyopenssl, 0, "openssl", "TLS 1.3", marks=peer("openssl")),
        pytest.param(call_with_node, 0, "node", "TLS 1.3", marks=peer("node")),
        pytest.param(call_with_chrome, 0, "chromium", "TLS 1.3", marks=peer("curl_cffi")),
        pytest.param(call_with_grpc, 0, "grpc", "TLS 1.3", marks=peer("grpcio")),
        pytest.param(call_with_openssl, None, "openssl", "TLS 1.3", marks=peer("openssl-cli")),
        pytest.param(
            call_with_openssl_and_tls_1_2, 3, "openssl", "TLS 1.2", marks=peer("openssl-cli")
        ),
        pytest.param(call_with_java, None, "java", "TLS 1.3", marks=peer("java")),
        pytest.param(call_with_python, None, "python", "TLS 1.3"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_client_is_told_with_what_would_help_it(call, code, family, protocol, tmp_path):
    """Where the machine's own library decides (None), the exit code follows the finding."""
    with Sniffer() as sniffer:
        call(sniffer.port, tmp_path)
        returned, (told,) = sniffer.result()

    assert told["family"] == family
    assert told["protocol"] == protocol
    assert returned == (0 if told["post_quantum"] else 3)
    assert returned == code or code is None
    assert bool(told["advice"]) is not told["post_quantum"]


def test_our_own_egress_is_ready(sidecars):
    with Sniffer() as sniffer:
        document = egress(
            sidecars.certificates, f"127.0.0.1:{free_port()}", f"127.0.0.1:{sniffer.port}"
        )
        sidecar = sidecars.start("egress", document).wait_until_ready()
        with socket.create_connection(sidecar.address), contextlib.suppress(OSError):
            returned, (told,) = sniffer.result()

    assert returned == 0
    assert told["program"] == "pqproxy"


def test_callers_without_tls_are_told_apart():
    says = (b"GET / HTTP/1.1\r\n\r\n", b"SSH-2.0-x\r\n", bytes.fromhex("802e01000200150000001001"))
    with Sniffer("--count", "3") as sniffer:
        for said in (*says[:2], says[2] + bytes(10)):
            with socket.create_connection(("127.0.0.1", sniffer.port), timeout=10) as sock:
                sock.sendall(said)
                while sock.recv(4096):
                    pass
        returned, told = sniffer.result()

    assert returned == 3
    assert [one["protocol"] for one in told] == ["plaintext HTTP", "SSH", "SSL 2.0"]
