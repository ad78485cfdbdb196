"""Sessions resumed by a real pair: across workers, after a worker died, and until a restart.

Without tunnels: each connection has a handshake of its own.
"""

import os
import signal
import socket

from tests.support.plain_server import echo, serving
from tests.support.sidecars import CLIENT, SERVER, Pair, free_port, ingress
from tests.support.waiting import wait_until


def visit(pair):
    """One connection through the pair, to its end; both its log lines."""
    before = [len(sidecar.lines("connection")) for sidecar in (pair.egress, pair.ingress)]
    with socket.create_connection(pair.address, timeout=20) as connection:
        connection.sendall(b"hi")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) == b"hi"
        assert connection.recv(100) == b""
    return [
        sidecar.wait_for("connection", count + 1)[-1]
        for sidecar, count in zip((pair.egress, pair.ingress), before, strict=True)
    ]


def assert_resumed(lines, resumed=True):
    ours, theirs = lines
    assert ours.get("resumed", False) is theirs.get("resumed", False) is resumed
    assert (ours["identity"], theirs["identity"]) == (SERVER, CLIENT)
    assert ours["group"] == theirs["group"] == "X25519MLKEM768"


def count(sidecar, resumed):
    """Completed handshakes in the metrics."""
    label = f'resumed="{resumed}"'
    lines = [one for one in sidecar.metrics().split("\n") if one.startswith("pqproxy_handshakes")]
    completed = [one for one in lines if label in one and 'result="completed"' in one]
    return sum(float(one.rpartition(" ")[2]) for one in completed)


def test_a_pair_resumes_and_goes_on_doing_so_when_a_worker_dies(sidecars):
    """The keys are the supervisor's: whoever comes after the worker opens its tickets."""
    with serving(echo) as server:
        pair = sidecars.start_pair(server.forward, "never")
        assert_resumed(visit(pair), resumed=False)
        assert_resumed(visit(pair))
        wait_until(lambda: count(pair.ingress, "true") == 1, "the metrics say so")
        assert count(pair.ingress, "false") == count(pair.egress, "false") == 1
        dead = pair.ingress.worker
        os.kill(dead, signal.SIGKILL)
        wait_until(lambda: set(pair.ingress.family()[1:]) - {dead}, "another worker")

        assert_resumed(visit(pair))


def test_any_worker_resumes_what_another_one_began_until_a_restart(sidecars):
    """Two workers share the connections, and only the first of those needs certificates."""
    with serving(echo) as server:
        listen = f"127.0.0.1:{free_port()}"
        document = ingress(sidecars.certificates, listen, server.forward) | {"workers": 2}
        front = sidecars.start("ingress", document).wait_until_ready()
        pair = Pair(sidecars.start_egress(listen, tunnel={"mode": "never"}), front)
        assert_resumed(visit(pair), resumed=False)
        lines = [visit(pair) for _ in range(12)]
        front.stop()
        front = sidecars.start("ingress", document).wait_until_ready()
        after = visit(Pair(pair.egress, front))

    for line in lines:
        assert_resumed(line)
    assert len({theirs["pid"] for _, theirs in lines}) == 2
    assert_resumed(after, resumed=False)  # and nobody noticed anything
