"""The real process, at the other end of a channel played by hand."""

import contextlib
import dataclasses
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import pytest

from pqproxy.config.values import (
    Drain,
    Egress,
    Ingress,
    Log,
    Settings,
    TrustFiles,
    Tunnel,
    TunnelMode,
)
from pqproxy.proxy.channel import FrameReader, WorkerChange, WorkerStart, encode_frame
from pqproxy.proxy.handover import open_handover, send_sockets
from tests.support import pki
from tests.support.waiting import wait_until

from .sidecars import CLIENT, ROOT, SERVER, address_of, listening

TRUST = TrustFiles("mesh", (ROOT.certificate_pem,), "mesh")


class Process:
    """A worker; `say` and `hear` are the supervisor's side."""

    def __init__(self, settings, **listeners):
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(10)
        self.handover, their_handover = open_handover()
        descriptors = [sock.fileno() for sock in listeners.values()]
        with theirs, their_handover:
            channels = [theirs.fileno(), their_handover.fileno()]
            self.process = subprocess.Popen(
                [sys.executable, "-m", "pqproxy.proxy", *map(str, channels)],
                pass_fds=[*channels, *descriptors],
                stderr=subprocess.PIPE,
            )
        start = WorkerStart(settings, {name: [s.fileno()] for name, s in listeners.items()}, False)
        self.channel.sendall(encode_frame(start.encode()))
        self._frames, self._heard = FrameReader(), []

    def say(self, **message):
        self.channel.sendall(encode_frame(json.dumps(message).encode()))

    def hear(self):
        while not self._heard:
            data = self.channel.recv(1 << 16)
            assert data, "the worker has nothing more to say"
            self._heard += map(json.loads, self._frames.feed(data))
        return self._heard.pop(0)

    def wait(self):
        return self.process.wait(10)

    def close(self):
        self.channel.close()
        self.handover.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        self.process.stderr.close()


def echo(server):
    """A model server that sends back what it gets."""

    def serve(sock):
        with sock, contextlib.suppress(ConnectionError):
            while data := sock.recv(1 << 16):
                sock.sendall(data)

    def accept():
        while True:
            try:
                sock, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(sock,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()


def snapshot(worker):
    worker.say(op="snapshot", id=9)
    return worker.hear()


def shaken(worker):
    return sum(row[-1] for row in snapshot(worker)["counters"]["llm"]["handshakes"])


@pytest.fixture
def started():
    """Starts a worker that is a whole pair: its egress connects to its own ingress."""
    opened = []

    def start(tunnel=TunnelMode.NEVER, **settings):
        model, inner, outer = listening(), listening(), listening()
        echo(model)
        ingress = Ingress(
            "llm", address_of(inner), address_of(model), ("llm",), "mesh",
            allow=("spiffe://corp/ns/apps/sa/*",),
        )  # fmt: skip
        egress = Egress(
            "to-llm", address_of(outer), (address_of(inner),), ("app",), "mesh",
            expect=("spiffe://corp/ns/apps/sa/llm",), tunnel=Tunnel(tunnel),
        )  # fmt: skip
        everything = {
            "identities": (SERVER.files("llm"), CLIENT.files("app")),
            "trust": (TRUST,),
            "ingress": (ingress,),
            "egress": (egress,),
            "log": Log(format="json"),
            **settings,
        }
        worker = Process(Settings(**everything), **{"llm": inner, "to-llm": outer})
        worker.settings = Settings(**everything)
        opened.extend((worker, model, inner, outer))
        worker.entry = outer.getsockname()
        return worker

    yield start
    for one in opened:
        one.close()


def connected(worker):
    client = socket.create_connection(worker.entry, timeout=10)
    client.sendall(b"hello")
    assert client.recv(5, socket.MSG_WAITALL) == b"hello"
    return client


def test_it_says_ready_and_serves(started):
    worker = started()
    assert worker.hear() == {"event": "ready"}

    connected(worker).close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_what_a_terminal_sends_to_all_its_processes_is_left_to_the_supervisor(started, number):
    worker = started()
    worker.hear()
    client = connected(worker)

    worker.process.send_signal(number)

    client.sendall(b"still")
    assert client.recv(5, socket.MSG_WAITALL) == b"still"
    client.close()


def test_a_snapshot_counts_connections_that_are_still_open(started):
    worker = started()
    worker.hear()
    with connected(worker):
        worker.say(op="snapshot", id=7)
        answer = worker.hear()

    assert (answer["event"], answer["id"]) == ("snapshot", 7)
    assert answer["counters"]["to-llm"]["bytes"] == [5, 5, 5, 5]
    assert answer["counters"]["llm"]["active"]["tls"] == 1
    assert answer["status"]["connections"] == {"llm": 1, "to-llm": 1}
    assert 0 < answer["status"]["oldest"] < 60


def resumed(worker):
    """How many handshakes of the ingress were resumed, and how many were not."""
    worker.say(op="snapshot", id=1)
    rows = worker.hear()["counters"]["llm"]["handshakes"]
    return tuple(sum(row[5] for row in rows if row[3] == kind) for kind in ("true", "false"))


def test_it_seals_and_opens_tickets_with_the_keys_that_it_is_given(started):
    """The supervisor brings new ones from time to time; those of before still open."""
    worker = started()
    worker.hear()
    first, second, third = (f"{number:02x}" * 32 for number in range(3))
    for keys in ([first], [second, first], [third]):
        worker.say(op="ticket_keys", keys=keys)
        assert resumed(worker)  # it has heard of the keys when it answers
        for _ in range(2):
            connected(worker).close()

    assert resumed(worker) == (4, 2)  # one full handshake at first, one when all keys were gone


def test_a_snapshot_tells_what_was_seen_of_peers_once(started):
    worker = started()
    worker.hear()
    with connected(worker):
        worker.say(op="snapshot", id=1)
        first = worker.hear()["evidence"]
        worker.say(op="snapshot", id=2)
        second = worker.hear()["evidence"]

    assert len(first["llm"]["ledger"]) == len(first["to-llm"]["ledger"]) == 1
    assert "X25519MLKEM768" in first["llm"]["ledger"][0]
    assert second == {}


def is_served_to_its_end(client):
    """It gets an answer still, and a clean end."""
    client.sendall(b"more")
    assert client.recv(4, socket.MSG_WAITALL) == b"more"
    client.shutdown(socket.SHUT_WR)
    assert client.recv(1) == b""
    client.close()


def test_a_drain_waits_for_what_is_open_and_says_that_it_finished(started):
    worker = started()
    worker.hear()
    client = connected(worker)
    worker.say(op="drain", timeout=10)
    time.sleep(0.1)
    is_served_to_its_end(client)

    assert worker.hear() == {"event": "drained", "finished": 2, "reset": 0}
    assert worker.wait() == 0


def test_a_drain_counts_who_comes_through_tunnels_and_no_tunnel(started):
    """Whoever drains wants to know of clients; a tunnel with nothing in it is no loss."""
    worker = started(tunnel=TunnelMode.AUTO)
    worker.hear()
    client = connected(worker)
    handshakes = 8  # until no other instance is looked for
    wait_until(lambda: shaken(worker) == handshakes, "all tunnels that there will be")
    worker.say(op="drain", timeout=30)
    is_served_to_its_end(client)

    assert worker.hear() == {"event": "drained", "finished": 2, "reset": 0}
    assert worker.wait() == 0


def test_who_stops_with_idle_tunnels_has_reset_nobody(started):
    worker = started(tunnel=TunnelMode.AUTO)
    worker.hear()
    connected(worker).close()
    wait_until(lambda: shaken(worker) == 8, "all tunnels that there will be")
    wait_until(lambda: snapshot(worker)["counters"]["llm"]["active"]["stream"] == 0, "it has ended")
    worker.say(op="stop")

    assert worker.hear()["reset"] == 0
    assert worker.wait() == 0


def test_a_stop_resets_streams_and_says_so(started):
    worker = started(tunnel=TunnelMode.AUTO)
    worker.hear()
    with connected(worker) as client:
        worker.say(op="stop")
        assert worker.hear()["reset"] >= 2  # at both ends
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    assert worker.wait() == 4


def test_a_drain_that_runs_out_of_time_resets_and_counts(started):
    worker = started()
    worker.hear()
    client = connected(worker)
    worker.say(op="drain", timeout=0.1)
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)

    drained = worker.hear()
    assert drained["reset"] >= 1
    assert drained["reset"] + drained["finished"] == 2
    assert worker.wait() == 4


def test_stop_does_not_wait(started):
    worker = started()
    worker.hear()
    with connected(worker):
        worker.say(op="drain", timeout=60)
        worker.say(op="stop")
        assert worker.hear()["event"] == "drained"

    assert worker.wait() == 4


def test_sigterm_drains_and_sigint_does_nothing(started):
    worker = started(drain=Drain(timeout=10))
    worker.hear()
    with connected(worker) as client:
        os.kill(worker.process.pid, signal.SIGINT)
        os.kill(worker.process.pid, signal.SIGTERM)
        client.sendall(b"still here")
        assert client.recv(10, socket.MSG_WAITALL) == b"still here"

    assert worker.hear()["event"] == "drained"
    assert worker.wait() == 0


def test_when_the_supervisor_is_gone_it_goes_too(started):
    worker = started()
    worker.hear()
    client = connected(worker)
    worker.channel.close()

    assert worker.wait() == 4
    with client, pytest.raises(ConnectionResetError):
        client.recv(1)


def test_when_the_supervisor_is_gone_before_it_spoke_it_goes_quietly():
    ours, theirs = socket.socketpair()
    handover = open_handover()
    with theirs, handover[0], handover[1]:
        channels = [theirs.fileno(), handover[1].fileno()]
        process = subprocess.Popen(
            [sys.executable, "-m", "pqproxy.proxy", *map(str, channels)],
            pass_fds=channels,
            stderr=subprocess.PIPE,
        )
    ours.close()

    assert process.communicate(timeout=10)[1] == b""
    assert process.returncode == 1


def test_an_identity_that_cannot_be_used_is_named_and_nothing_listens(started):
    expired = ROOT.issue(uris=("spiffe://corp/ns/apps/sa/llm",), not_after=pki.PAST)
    worker = started(identities=(expired.files("llm"), CLIENT.files("app")))

    message = worker.hear()
    assert message["event"] == "failed"
    assert "expired" in message["error"]
    assert worker.wait() == 2


def test_one_line_a_connection_goes_to_stderr(started):
    worker = started()
    worker.hear()
    connected(worker).close()
    worker.say(op="drain", timeout=5)
    worker.wait()
    lines = [json.loads(line) for line in worker.process.stderr.read().splitlines()]

    assert sorted(line["listener"] for line in lines) == ["llm", "to-llm"]
    assert {line["event"] for line in lines} == {"connection"}


def test_the_process_imports_nothing_of_the_control_plane():
    script = "import pqproxy.proxy.worker, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    forbidden = {"pydantic", "aiohttp", "prometheus_client", "yaml"}
    assert not forbidden & set(result.stdout.split())


def test_a_reset_of_a_client_reaches_through_two_sidecars(started):
    worker = started()
    worker.hear()
    client = connected(worker)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    worker.say(op="drain", timeout=5)

    assert worker.hear()["reset"] == 0


class Change:
    """A change of a running worker, step by step: here its ingress gets another listener beside."""

    def __init__(self, worker, settings, **sockets):
        self.worker, self.settings = worker, settings
        self.new = [sock for source in sockets.values() for sock in source]
        names = {one.name: one.name for one in (*settings.ingress, *settings.egress)}
        self.sockets = {**names, **{name: len(source) for name, source in sockets.items()}}

    def prepare(self, number=1):
        send_sockets(self.worker.handover, number, self.new)
        change = WorkerChange(self.settings, self.sockets)
        self.worker.say(op="prepare", id=number, change=change.encode())
        return self.worker.hear()


def beside(worker, listener):
    """The settings with a second egress."""
    first = worker.settings.egress[0]
    second = dataclasses.replace(first, name="second", listen=address_of(listener))
    return dataclasses.replace(worker.settings, egress=(first, second))


def test_a_change_is_prepared_and_then_committed(started):
    worker = started()
    worker.hear()
    client = connected(worker)
    with listening() as second:
        change = Change(worker, beside(worker, second), second=[second])
        assert change.prepare() == {"event": "prepared", "id": 1}
        worker.say(op="commit", id=1)
        assert worker.hear() == {"event": "committed", "id": 1}
        worker.entry = second.getsockname()
        connected(worker).close()

    client.sendall(b"still")
    assert client.recv(5, socket.MSG_WAITALL) == b"still"
    client.close()


def withdrawal(worker, **changes):
    trust = dataclasses.replace(TRUST, **changes)
    return WorkerChange(dataclasses.replace(worker.settings, trust=(trust,)), {}).encode()


def test_who_is_revoked_goes_from_a_worker_that_only_finishes_what_it_has(started):
    worker = started()
    worker.hear()
    with connected(worker) as client:
        worker.say(op="drain", timeout=60)
        worker.say(op="withdraw", change=withdrawal(worker, deny=("serial:1",)))
        client.sendall(b"still")
        assert client.recv(5, socket.MSG_WAITALL) == b"still"

        worker.say(op="withdraw", change=withdrawal(worker, deny=("spiffe://corp/ns/apps/sa/*",)))
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_everybody_goes_where_it_cannot_be_told_who_is_revoked(started):
    worker = started()
    worker.hear()
    with connected(worker) as client:
        worker.say(op="drain", timeout=60)
        worker.say(op="withdraw", change=withdrawal(worker, roots=(b"no root",)))
        with pytest.raises(ConnectionResetError):
            client.recv(1)

    assert worker.wait() == 4


def test_an_abandoned_change_leaves_nothing_listening(started):
    worker = started()
    worker.hear()
    second = listening()
    address = second.getsockname()
    assert Change(worker, beside(worker, second), second=[second]).prepare()["event"] == "prepared"
    second.close()
    worker.say(op="abandon")
    worker.say(op="snapshot", id=1)
    worker.hear()

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=10)
    connected(worker).close()


def test_a_change_that_cannot_be_made_is_answered_with_the_reason(started):
    worker = started()
    worker.hear()
    expired = ROOT.issue(uris=("spiffe://corp/ns/apps/sa/llm",), not_after=pki.PAST)
    identities = (expired.files("llm"), CLIENT.files("app"))
    answer = Change(worker, dataclasses.replace(worker.settings, identities=identities)).prepare(7)

    assert (answer["event"], answer["id"]) == ("unprepared", 7)
    assert "expired" in answer["error"]
    connected(worker).close()


def test_sockets_that_did_not_come_are_missed(started):
    worker = started()
    worker.hear()
    with listening() as second:
        change = Change(worker, beside(worker, second), second=[second])
        change.new = []
        answer = change.prepare()

    assert answer["event"] == "unprepared"
    assert "0 of 1 sockets" in answer["error"]


def test_a_change_that_makes_no_sense_ends_nothing(started):
    worker = started()
    worker.hear()
    worker.say(op="prepare", id=3, change="bm90IGEgcGlja2xl")
    answer = worker.hear()

    assert (answer["event"], answer["id"]) == ("unprepared", 3)
    connected(worker).close()


def test_a_worker_that_leaves_takes_no_change(started):
    worker = started()
    worker.hear()
    with connected(worker):
        worker.say(op="drain", timeout=60)
        answer = Change(worker, worker.settings).prepare()

        assert answer == {"event": "unprepared", "id": 1, "error": "it is leaving"}
