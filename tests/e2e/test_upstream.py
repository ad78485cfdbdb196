"""A model server that is down, comes back, or dies in the middle."""

import socket
import time

import pytest

from tests.support.model_server import ModelServer, completion_request, prompt_of
from tests.support.plain_server import echo


def talk(address):
    """One exchange with an echo server; whatever comes back."""
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"hi")
        return connection.recv(100)


def test_while_it_is_down_clients_are_reset_at_once_and_the_log_says_why(standing):
    begun = time.monotonic()
    with pytest.raises(ConnectionResetError):
        talk(standing.address)

    assert time.monotonic() - begun < 2
    (line,) = standing.ingress.wait_for("connection")
    assert line["end_reason"] == "upstream_down"
    assert line["reason"] == "upstream_down"
    assert "refused" in line["detail"].lower()


def test_once_it_is_up_the_next_connection_is_served(standing):
    with pytest.raises(ConnectionResetError):
        talk(standing.address)

    with standing.serving(echo):
        assert talk(standing.address) == b"hi"


def test_a_restart_costs_no_sidecar_a_restart(standing):
    workers = [sidecar.worker for sidecar in standing.sidecars]
    with standing.serving(echo):
        assert talk(standing.address) == b"hi"
    with pytest.raises(ConnectionResetError):
        talk(standing.address)

    with standing.serving(echo):
        assert talk(standing.address) == b"hi"
    assert [sidecar.worker for sidecar in standing.sidecars] == workers


def test_killed_in_mid_answer_the_client_sees_no_clean_end_of_the_body(sidecars, tmp_path):
    """The kernel ends a killed server's connection with a FIN: the chunked body stays open."""
    pytest.importorskip("xllamacpp")
    pytest.importorskip("gguf")
    server = ModelServer(tmp_path)
    pair = sidecars.start_pair(server.forward)
    with socket.create_connection(pair.address, timeout=20) as connection:
        connection.sendall(completion_request(prompt_of(300), 1500))
        answer = b""
        while b'"delta"' not in answer:
            answer += connection.recv(1 << 16)

        server.kill()
        killed = time.monotonic()
        answer += read_what_is_left(connection)

    assert time.monotonic() - killed < 1
    assert not answer.endswith(b"0\r\n\r\n")


def read_what_is_left(connection):
    data = bytearray()
    try:
        while chunk := connection.recv(1 << 16):
            data += chunk
    except ConnectionResetError:
        pass
    return bytes(data)


def connects(sidecar):
    """How many dials of its upstream ended in which way, by what a scrape calls them."""
    samples = (line.rpartition(" ") for line in sidecar.metrics().splitlines())
    return {
        name: float(count)
        for name, _, count in samples
        if name.startswith("pqproxy_upstream_connects_total{")
    }


def test_a_server_that_is_down_is_counted(standing):
    before = connects(standing.ingress)
    with pytest.raises(ConnectionResetError):
        talk(standing.address)
    standing.ingress.wait_for("connection")
    after = connects(standing.ingress)

    (risen,) = [name for name, count in after.items() if count != before.get(name, 0)]
    assert after[risen] == before.get(risen, 0) + 1
    assert 'listener="llm",result="refused"' in risen
