"""A reload changes what new connections meet, and nothing that lives."""

import contextlib
import json
import re
import shutil
import signal
import socket
import urllib.request

import pytest

from tests.support.plain_server import echo, serving
from tests.support.pump import Pump
from tests.support.sidecars import Sidecars, free_port, ingress, shown_certificate
from tests.support.waiting import wait_until


@pytest.fixture(scope="module")
def running(tmp_path_factory, certificates):
    """Two sidecars before an echo."""
    started = Sidecars(tmp_path_factory.mktemp("reload"), certificates)
    with serving(echo) as server:
        yield started.start_pair(server.forward)
        started.stop()


@pytest.fixture
def pair(running):
    """The same for each test, with the settings that it started with."""
    yield running
    for sidecar in running.sidecars:
        sidecar.config.write_text(json.dumps(sidecar.document))
        # What the command does, without starting a process for it.
        order = f"http://{sidecar.document['control']['listen']}/reload"
        with urllib.request.urlopen(urllib.request.Request(order, method="POST"), timeout=20):
            pass


def beside(sidecar, name):
    """The document of an egress with a second listener, and the address of that."""
    (first,) = sidecar.document["egress"]
    port = free_port()
    second = first | {"name": name, "listen": f"127.0.0.1:{port}"}
    return sidecar.document | {"egress": [first, second]}, ("127.0.0.1", port)


def lines_of(sidecar, listener):
    """The log lines of connections through a listener."""
    return [line for line in sidecar.lines("connection") if line["listener"] == listener]


def echoes(address):
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(b"hello")
        return connection.recv(5, socket.MSG_WAITALL) == b"hello"


def refuses(address):
    with contextlib.closing(socket.socket()) as client:
        return client.connect_ex(address) != 0


def test_streams_pass_through_reloads_byte_for_byte(pair):
    """Listeners come, change and go, certificates too, and one reload fails: nobody notices."""
    pumps = [Pump(pair.address) for _ in range(3)]
    (inner,), (outer,) = pair.ingress.document["ingress"], pair.egress.document["egress"]
    added, _ = beside(pair.egress, "more")
    stages = [
        (pair.ingress, pair.ingress.document | {"ingress": [inner | {"policy": "prefer"}]}, 0),
        (pair.egress, added, 0),
        (pair.egress, pair.egress.document | {"egress": [outer | {"padding": "none"}]}, 0),
        (pair.egress, pair.egress.document | {"egress": "nonsense"}, 2),
        (pair.ingress, pair.ingress.document | {"ingress": []}, 2),
        (pair.ingress, pair.ingress.document, 0),
    ]
    for sidecar, document, code in stages:
        before = [pump.returned for pump in pumps]
        ended = sidecar.reload(document)
        assert ended.returncode == code, ended.stderr + sidecar.log()
        wait_until(
            lambda before=before: all(p.returned > b for p, b in zip(pumps, before, strict=True)),
            "bytes flow on",
        )

    whole = [pump.finish() for pump in pumps]
    assert whole == [True] * 3
    assert echoes(pair.address)


def test_a_listener_comes_and_goes_and_its_connection_lives_on(pair):
    document, address = beside(pair.egress, "second")
    assert pair.egress.reload(document).stdout == "added second\n"
    pump = Pump(address)
    assert echoes(address)

    assert pair.egress.reload(pair.egress.document).stdout == "removed second\n"
    assert refuses(address)
    seen = pump.returned
    wait_until(lambda: pump.returned > seen, "bytes flow on")
    assert pump.finish()
    assert echoes(pair.address)
    wait_until(lambda: len(lines_of(pair.egress, "second")) == 2, "two connections ended")
    assert {line["end_reason"] for line in lines_of(pair.egress, "second")} == {"finished"}


def test_counts_of_a_removed_listener_stay_in_the_sums(pair):
    """A counter that goes down looks like a restart, and a rate over it like a flood."""
    document, address = beside(pair.egress, "brief")
    pair.egress.reload(document)
    assert echoes(address)
    wait_until(lambda: lines_of(pair.egress, "brief"), "it ended")
    pair.egress.reload(pair.egress.document)
    counted = 'pqproxy_received_bytes_total{leg="client",listener="brief"} 5.0'

    assert counted in pair.egress.metrics()
    wait_until(lambda: len(pair.egress.status()["listeners"]) == 1, "gone from status")
    assert counted in pair.egress.metrics()


def test_a_broken_file_keeps_the_old_and_names_every_mistake(pair):
    (egress,) = pair.egress.document["egress"]
    broken = pair.egress.document | {
        "egress": [egress | {"policy": "reqire", "trust": "nowhere", "alpn": 5}],
        "identities": {"own": {"certificate": "missing.crt", "key": "missing.key"}},
    }
    ended = pair.egress.reload(broken)

    assert ended.returncode == 2
    lines = ended.stderr.splitlines()
    assert len(lines) >= 5
    assert all(re.match(r"\S+\.yaml:\d+:\d+: ", line) for line in lines), ended.stderr
    assert "did you mean require" in ended.stderr
    logged = [line["message"] for line in pair.egress.lines("message")]
    assert [f"reload: {line}" in logged for line in lines] == [True] * len(lines)
    assert echoes(pair.address)
    assert pair.egress.status()["last_reload"]["problems"] == lines


def test_a_port_in_use_fails_the_whole_reload(pair):
    with serving(echo) as occupant:
        document, address = beside(pair.egress, "new")
        document["egress"].append(
            document["egress"][0] | {"name": "third", "listen": occupant.forward}
        )
        ended = pair.egress.reload(document)

    assert ended.returncode == 1
    assert f"egress third: {occupant.forward} is in use" in ended.stderr
    assert refuses(address)
    assert echoes(pair.address)


def test_what_needs_a_restart_is_said_so_with_its_place(pair):
    document, address = beside(pair.egress, "new")
    ended = pair.egress.reload(document | {"workers": 2})

    assert ended.returncode == 2
    assert re.search(r"\.yaml:\d+:\d+: workers: restart needed", ended.stderr)
    assert refuses(address)


def test_an_exchanged_certificate_is_shown_to_the_next_connection(sidecars, certificates, tmp_path):
    """Renewed under the same name, as certificates are; SIGHUP is what renewal scripts send."""
    files = {name: tmp_path / name for name in ("certificate", "key")}

    def put(leaf):
        for name, path in leaf.items():
            shutil.copy(path, files[name])

    put(certificates.entry("server"))
    with serving(echo) as server:
        open_to_all = {"client_auth": "none", "unsafe_anonymous": True, "policy": "prefer"}
        front = sidecars.start(
            "front",
            ingress(
                certificates, f"127.0.0.1:{free_port()}", server.forward, allow=[], **open_to_all
            )
            | {"identities": {"own": {name: str(path) for name, path in files.items()}}},
        ).wait_until_ready()
        before = shown_certificate(front.address)
        put(certificates.entry("stranger"))
        front.process.send_signal(signal.SIGHUP)
        wait_until(lambda: "new certificates of own" in front.log(), "reloaded")

        assert shown_certificate(front.address) != before


def test_two_workers_change_together(sidecars, pair):
    document = pair.egress.document | {"workers": 2}
    document["egress"] = [document["egress"][0] | {"listen": f"127.0.0.1:{free_port()}"}]
    document |= {name: {"listen": f"127.0.0.1:{free_port()}"} for name in ("health", "control")}
    both = sidecars.start("both", document).wait_until_ready()
    pump = Pump(both.address)
    wanted, address = beside(both, "second")
    assert both.reload(wanted).returncode == 0
    for _ in range(30):
        assert echoes(address)
    wait_until(lambda: len(lines_of(both, "second")) == 30, "all ended")

    assert len({line["pid"] for line in lines_of(both, "second")}) == 2
    assert pump.finish()
