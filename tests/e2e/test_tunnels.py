"""Tunnels to several endpoints: who gets the streams, and what becomes of them when one goes."""

import re
import socket
import threading
import time
from collections import Counter

import pytest

from tests.support.plain_server import echo, serving
from tests.support.sidecars import Sidecars, egress, free_port, ingress
from tests.support.tunnels import meets_both
from tests.support.waiting import wait_until

SHARES = 40  # streams for each endpoint


def connect(address):
    connection = socket.create_connection(address, timeout=20)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def exchange(connection):
    connection.sendall(b"token")
    return connection.recv(5, socket.MSG_WAITALL) == b"token"


def up(sidecar):
    """How many tunnels it has."""
    return sum(
        map(float, re.findall(r"^pqproxy_tunnels_active\{.*\} (\S+)$", sidecar.metrics(), re.M))
    )


class Client(threading.Thread):
    """One connection after the other, each with an answer, until told to stop."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.address, self.served, self.lost = address, 0, []
        self._over = threading.Event()
        self.start()

    def run(self):
        while not self._over.wait(0.002):
            try:
                with connect(self.address) as connection:
                    assert exchange(connection)
                self.served += 1
            except (OSError, AssertionError) as error:
                self.lost.append(repr(error))

    def end(self):
        self._over.set()
        self.join()


@pytest.fixture(scope="module")
def fronts(tmp_path_factory, certificates):
    """Three ingresses in front of one echo."""
    running = Sidecars(tmp_path_factory.mktemp("fronts"), certificates)
    with serving(echo) as server:
        started = [
            running.start(
                f"ingress-{n}", ingress(certificates, f"127.0.0.1:{free_port()}", server.forward)
            )
            for n in range(3)
        ]
        yield [one.wait_until_ready() for one in started]
        running.stop()


def to(certificates, *addresses):
    """An egress with all of these for its server."""
    listen = f"127.0.0.1:{free_port()}"
    document = egress(certificates, listen, addresses[0])
    (entry,) = document["egress"]
    return document | {"egress": [entry | {"connect": list(addresses)}]}


def shares(beside, count):
    """How many of the next streams each endpoint gets, by the lines of the egress."""
    before = len(beside.wait_for("connection"))
    lines = beside.wait_for("connection", before + SHARES * count, 30)[before:][: SHARES * count]
    assert {line["transport"] for line in lines} == {"stream"}
    return Counter(line["upstream"] for line in lines)


def are_even(found):
    return all(abs(share - SHARES) <= SHARES / 10 for share in found.values())


def test_streams_are_spread_and_none_is_lost_while_endpoints_come_and_go(
    sidecars, certificates, fronts
):
    """Two, then three, then one. Each client is served, and whoever stays is not cut off."""
    everything = [front.listen for front in fronts]
    document = to(certificates, *everything[:2])
    beside = sidecars.start("egress", document).wait_until_ready()
    client, lasting, due = Client(beside.address), [], 0
    for addresses in (everything[:2], everything, everything[2:]):
        (entry,) = document["egress"]
        if due:
            changed = document | {"egress": [entry | {"connect": addresses}]}
            assert beside.reload(changed).returncode == 0
        due += len(addresses)
        beside.wait_for("tunnel_up", due)
        served = client.served
        wait_until(lambda: client.served > served + 3, "those of before are gone")  # noqa: B023
        # An ingress that the machine does not let run for a moment gets less: at best of three.
        found = next(filter(are_even, (shares(beside, len(addresses)) for _ in range(3))), None)
        assert found is not None, "no even shares"
        assert found.keys() == set(addresses)
        lasting += [connect(beside.address) for _ in addresses]
        assert all(map(exchange, lasting))

    client.end()
    assert client.lost == []
    for connection in lasting:  # each by the tunnel that it began with
        assert exchange(connection)
        connection.close()
    wait_until(lambda: up(beside) == 1, "the tunnels of before are gone")
    assert {line["end_reason"] for line in beside.lines("connection")} == {"finished"}


def test_the_workers_behind_one_address_get_their_shares(sidecars, certificates):
    """The kernel chooses who gets a connection; a few are dialled until another one is met."""
    with serving(echo) as server:
        both = ingress(certificates, f"127.0.0.1:{free_port()}", server.forward) | {"workers": 2}
        front = sidecars.start("workers", both).wait_until_ready()
        beside = meets_both(sidecars, to(certificates, front.listen))
        for _ in range(2 * SHARES):
            with connect(beside.address) as connection:
                assert exchange(connection)
        found = Counter(line["pid"] for line in front.wait_for("connection", 2 * SHARES))

    assert found.keys() == set(front.workers)
    assert are_even(found), found


def test_an_endpoint_that_is_down_is_ejected_named_and_tried_again(sidecars, certificates, fronts):
    """And when all are, a client is reset at once, by a line that names them."""
    with serving(echo) as server:
        first, second = (f"127.0.0.1:{free_port()}" for _ in range(2))
        one = sidecars.start("first", ingress(certificates, first, server.forward))
        one.wait_until_ready()
        beside = sidecars.start("egress", to(certificates, first, second)).wait_until_ready()
        (ejected,) = beside.wait_for("endpoint_ejected")
        assert (ejected["upstream"], ejected["reason"]) == (second, "upstream_down")
        assert "connection refused" in ejected["detail"]
        assert ejected["fix"]
        for _ in range(4):
            with connect(beside.address) as connection:
                assert exchange(connection)
        assert {line["upstream"] for line in beside.wait_for("connection", 4)} == {first}

        two = sidecars.start("second", ingress(certificates, second, server.forward))
        two.wait_until_ready()
        (returned,) = beside.wait_for("endpoint_returned")
        assert returned["upstream"] == second
        one.stop()
        for _ in range(4):
            with connect(beside.address) as connection:
                assert exchange(connection)
        two.stop()

    beside.wait_for("endpoint_ejected", 3)
    begun = time.monotonic()
    with pytest.raises(ConnectionResetError), connect(beside.address) as connection:
        connection.recv(1)
    assert time.monotonic() - begun < 2
    line = beside.wait_for("connection", 9)[-1]
    assert (line["end_reason"], line["reason"]) == ("upstream_down", "upstream_down")
    assert first in line["detail"]
    assert second in line["detail"]
    assert line["fix"]
    status = beside.command("status").stdout
    assert f"{first} is out" in status or f"{first}: connection refused" in status
