"""Who is revoked, denied or out of date goes within a second, and nobody else notices."""

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from pqproxy.crypto.keys import encode_private_key
from pqproxy.identity.authority import certify, open_authority
from pqproxy.identity.certificates import ALGORITHMS, LeafNames, Validity
from tests.support.openssl_peer import OpenSslEndpoint
from tests.support.plain_server import echo, serving
from tests.support.pump import Pump
from tests.support.sidecars import (
    CLIENT,
    SERVER,
    STRANGER,
    Certificates,
    Sidecars,
    egress,
    free_port,
    ingress,
)
from tests.support.waiting import wait_until

WITHIN = 3.0  # seconds: one is promised, and the machine of a test may be busy


class House:
    """An authority of its own, an ingress for two clients, and the egress of each."""

    def __init__(self, directory):
        self.certs = directory / "certs"
        self.certificates = Certificates(self.certs)
        self.list = Path(self.certificates.root).with_suffix(".crl")
        self.pqproxy("certs", "crl", "--dir", self.certs)
        self._empty = self.list.read_bytes()
        self.sidecars = Sidecars(directory, self.certificates)

    def start(self, forward):
        settings = {"trust": self.trust(), "workers": 2}  # each ends those that it has
        clients = [CLIENT, STRANGER]
        self.ingress = self.sidecars.start_ingress(forward, settings=settings, allow=clients)
        self.client, self.stranger = (
            self.sidecars.start(name, self._egress(name)) for name in ("client", "stranger")
        )
        self.client.wait_until_ready()
        self.stranger.wait_until_ready()

    def _egress(self, name):
        listen = f"127.0.0.1:{free_port()}"
        own = {"mode": "never"}  # a handshake for each
        return egress(self.certificates, listen, self.ingress.listen, name, tunnel=own)

    def cut_off(self):
        """How many connections the ingress has cut off because a certificate was revoked."""
        sample = 'pqproxy_connections_total{end_reason="revoked",listener="llm",transport="tls"} '
        lines = self.ingress.metrics().splitlines()
        return sum(int(float(line[len(sample) :])) for line in lines if line.startswith(sample))

    def trust(self, **more):
        return {"mesh": {"roots": [self.certificates.root], "crl": [str(self.list)], **more}}

    def restore(self):
        """Nobody is revoked, and all settings are as at the start."""
        self.list.write_bytes(self._empty)
        for sidecar in (self.ingress, self.client):
            sidecar.config.write_text(json.dumps(sidecar.document))
            # What the command does, without starting a process for it.
            order = f"http://{sidecar.document['control']['listen']}/reload"
            with urllib.request.urlopen(urllib.request.Request(order, method="POST"), timeout=20):
                pass

    @staticmethod
    def pqproxy(*arguments):
        command = [sys.executable, "-P", "-m", "pqproxy", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


@pytest.fixture(scope="module")
def server():
    with serving(echo) as running:
        yield running


@pytest.fixture(scope="module")
def running(tmp_path_factory, server):
    made = House(tmp_path_factory.mktemp("revocation"))
    made.start(server.forward)
    yield made
    made.sidecars.stop()


@pytest.fixture
def house(running):
    yield running
    running.restore()


def flowing(*pumps):
    before = [pump.returned for pump in pumps]
    wait_until(
        lambda: all(p.returned > b for p, b in zip(pumps, before, strict=True)), "bytes flow on"
    )


def ends_within(pump, seconds):
    began = time.monotonic()
    wait_until(lambda: pump.broken is not None, "its stream ended", 20)
    return time.monotonic() - began < seconds


def test_a_revoked_client_is_cut_and_the_other_streams_on(house):
    """As an operator does it: certs revoke, then reload, if the watch was not faster."""
    gone, stays = Pump(house.stranger.address), Pump(house.client.address)
    others = [Pump(house.stranger.address) for _ in range(3)]  # in both workers, most likely
    flowing(gone, stays, *others)
    cut_before = house.cut_off()
    house.ingress.forget()
    house.stranger.forget()

    house.pqproxy("certs", "revoke", "stranger", "--dir", house.certs)
    reloaded = house.ingress.command("reload")

    assert reloaded.returncode == 0, reloaded.stderr
    assert all(ends_within(each, WITHIN) for each in (gone, *others))
    assert not any(each.finish() for each in (gone, *others))
    flowing(stays)
    line, *_ = house.ingress.wait_for("connection", 4)
    assert (line["end_reason"], line["reason"]) == ("revoked", "revoked")
    assert line["identity"] == STRANGER
    assert f"the certificate of {STRANGER} is revoked" in line["detail"]
    assert "issue a new certificate" in line["fix"]
    told, *_ = house.stranger.wait_for("connection", 4)
    assert told["end_reason"] in ("upstream_alert", "upstream_left")  # a reset may overtake it
    assert house.cut_off() == cut_before + 4
    assert f"cut off      revoked {cut_before + 4}" in house.ingress.command("status").stdout

    again = Pump(house.stranger.address)
    (refused,) = house.ingress.wait_for("refused")
    assert refused["reason"] == "revoked"
    assert refused["identity"] == STRANGER
    assert not again.finish()
    assert stays.finish()

    house.restore()  # the list of before, as out of a backup
    believed = "1 certificate is believed again"
    wait_until(lambda: believed in house.ingress.log(), "who is believed again is said")


def test_a_denied_client_is_cut_and_may_come_back_when_it_is_denied_no_more(house):
    gone, stays = Pump(house.stranger.address), Pump(house.client.address)
    flowing(gone, stays)
    before = len(house.ingress.lines("connection"))
    plain = house.ingress.document
    denying = plain | {"trust": house.trust(deny=[STRANGER])}

    assert house.ingress.reload(denying).stdout == "changed llm (deny); new trust in mesh\n"

    assert ends_within(gone, WITHIN)
    assert not gone.finish()
    line = house.ingress.wait_for("connection", before + 1)[-1]
    assert line["end_reason"] == "revoked"
    assert line["detail"] == f"{STRANGER} is denied by {STRANGER} in deny"
    house.restore()
    back = Pump(house.stranger.address)
    flowing(back, stays)
    assert back.finish()
    assert stays.finish()


def test_a_revoked_server_is_cut_by_its_clients(house):
    """Each egress judges the server that it talks to."""
    pump = Pump(house.client.address)
    flowing(pump)
    before = len(house.client.lines("connection"))
    house.pqproxy("certs", "revoke", "server", "--dir", house.certs)

    reloaded = house.client.reload(house.client.document | {"trust": house.trust()})

    assert reloaded.returncode == 0, reloaded.stderr
    assert ends_within(pump, WITHIN)
    assert not pump.finish()
    line = house.client.wait_for("connection", before + 1)[-1]
    assert (line["end_reason"], line["identity"]) == ("revoked", SERVER)


def test_no_list_that_cannot_be_believed_comes_into_force(house, tmp_path):
    """A mistake is named with its place, and what was in force stays."""
    pump = Pump(house.client.address)
    shutil.copy(House(tmp_path).list, house.list)

    refused = house.ingress.command("reload")

    assert refused.returncode == 2
    assert "trust.mesh.crl: " in refused.stderr
    assert "which is no root of the set" in refused.stderr
    flowing(pump)
    assert pump.finish()


class Caller:
    """A client of OpenSSL, which shows a certificate that nobody else has."""

    def __init__(self, address, leaf):
        self._tls = OpenSslEndpoint.client(leaf=leaf)
        self._socket = socket.create_connection(address, timeout=20)
        self._socket.sendall(self._tls.take())
        while not self._tls.handshake_complete:
            self._tls.feed(self._socket.recv(1 << 16))
        self._socket.sendall(self._tls.take())

    def echoes(self):
        """Whether a word comes back; not once it is cut off."""
        self._tls.send(b"word")
        had = len(self._tls.received)
        try:
            self._socket.sendall(self._tls.take())
            while len(self._tls.received) == had and (data := self._socket.recv(1 << 16)):
                self._tls.feed(data)
        except ConnectionError:
            return False
        return len(self._tls.received) > had

    def close(self):
        self._socket.close()


def brief(house, not_after):
    """A leaf for the client's name, as the OpenSSL peer wants it."""
    authority = open_authority(house.certs, "ecdsa-p256")
    key = ALGORITHMS["ecdsa-p256"]()
    validity = Validity(not_after - timedelta(hours=1), not_after)
    names = LeafNames.parse(spiffe=(CLIENT,))
    certificate = certify(authority, key.public_key(), "brief", names, validity)
    return SimpleNamespace(certificates=[certificate], key_pem=encode_private_key(key))


@pytest.mark.peer("openssl")
def test_a_connection_ends_with_its_certificate_where_that_is_asked_for(house, server):
    """And goes on where it is not."""
    listens = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    document = ingress(house.certificates, listens[0], server.forward, on_expiry="cut")
    (cuts,) = document["ingress"]
    finishes = cuts | {"name": "finishes", "listen": listens[1], "on_expiry": "finish"}
    sidecar = house.sidecars.start("ingress", document | {"ingress": [cuts, finishes]})
    sidecar.wait_until_ready()
    not_after = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=4)
    leaf = brief(house, not_after)
    ports = [("127.0.0.1", int(listen.rpartition(":")[2])) for listen in listens]
    gone, stays = (Caller(port, leaf) for port in ports)
    assert gone.echoes()
    assert stays.echoes()

    (line,) = sidecar.wait_for("connection")

    late = datetime.fromisoformat(line["time"]) - not_after
    assert timedelta(0) <= late < timedelta(seconds=WITHIN)
    assert (line["listener"], line["end_reason"], line["reason"]) == ("llm", "expired", "expired")
    assert f"the certificate of {CLIENT}, or an authority above it, ended" in line["detail"]
    assert not gone.echoes()
    assert stays.echoes()
    gone.close()
    stays.close()
