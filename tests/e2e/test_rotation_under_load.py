"""Every way in which certificates are exchanged, some of them botched, while streams go on.

ROTATION_SECONDS makes it longer than a test run wants it.
"""

import contextlib
import os
import signal
import socket
import threading
import time
from collections import Counter

import pytest

from tests.support.numbered_tokens import Tokens, echo_or_tokens
from tests.support.plain_server import serving
from tests.support.pump import Pump
from tests.support.rotation import Renewed
from tests.support.sidecars import Sidecars
from tests.support.waiting import wait_until

SECONDS = float(os.environ.get("ROTATION_SECONDS", "10"))
STAGES = 5
PUMPS = 10
PACE = 0.02  # seconds between 16 KB of a pump
REFUSED = "renewed files are not taken"
TAKEN = "reloaded on a change of files"


class Newcomers:
    """Somebody new every few moments, who has to be let in and answered."""

    def __init__(self, address):
        self._address = address
        self.served, self.failures = 0, []
        self.gone = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(0.05):
            try:
                with socket.create_connection(self._address, timeout=30) as connection:
                    connection.sendall(b"hello")
                    assert connection.recv(5, socket.MSG_WAITALL) == b"hello"
                    connection.shutdown(socket.SHUT_WR)
                    assert connection.recv(1) == b""
                self.served += 1
            except (OSError, AssertionError) as error:
                self.failures.append(error)

    def finish(self):
        self._stop.set()
        self._thread.join(60)
        self.gone = True


class Rotation:
    """A pair, and what goes through it."""

    def __init__(self, pair):
        self.pair = pair
        self.pumps = [Pump(pair.address, PACE) for _ in range(PUMPS)]
        self.stream = Tokens(pair.address)
        self.newcomers = Newcomers(pair.address)
        self._begun, self._stages = time.monotonic(), 0

    def everything_flows(self):
        """See to it, until the next stage is due."""
        seen = [pump.returned for pump in self.pumps]
        tokens, served = len(self.stream.received), self.newcomers.served
        wait_until(
            lambda: (
                all(pump.returned > count for pump, count in zip(self.pumps, seen, strict=True))
                and len(self.stream.received) > tokens
                and (self.newcomers.served > served or self.newcomers.gone)
            ),
            "everything flows",
            30,
        )
        self._stages += 1
        due = self._begun + SECONDS * self._stages / STAGES
        time.sleep(max(0.0, due - time.monotonic()))

    def finish(self):
        """Whether each pump was whole, and the numbers of the tokens."""
        return [pump.finish() for pump in self.pumps], self.stream.finish()


@contextlib.contextmanager
def said(line, *sidecars):
    """Inside of it each of them says the line, once more than before."""
    before = [one.log().count(line) for one in sidecars]
    yield
    for one, count in zip(sidecars, before, strict=True):
        wait_until(lambda one=one, count=count: one.log().count(line) > count, line, 20)


def a_plain_one(rotation, files):
    for name, sidecar in (("server", rotation.pair.ingress), ("client", rotation.pair.egress)):
        with said(TAKEN, sidecar):
            files.renew(name, "second key")
    rotation.everything_flows()


def a_half_written_one(rotation, files):
    """A disk that was full: a certificate that is cut off, then a key that is."""
    front, leaf = rotation.pair.ingress, files.leaf("server", "third key")
    paths = files.paths("server")
    with said(REFUSED, front):
        paths["certificate"].write_bytes(leaf.certificate_pem[:-200])
    rotation.everything_flows()
    with said(REFUSED, front):
        paths["certificate"].write_bytes(leaf.certificate_pem)
        paths["key"].write_bytes(leaf.key_pem[:-30])
    with said(TAKEN, front):
        paths["key"].write_bytes(leaf.key_pem)


def a_mismatched_one(rotation, files):
    """A certificate of another key, which comes later."""
    side, leaf = rotation.pair.egress, files.leaf("client", "third key")
    paths = files.paths("client")
    with said(REFUSED, side):
        paths["certificate"].write_bytes(leaf.certificate_pem)
    rotation.everything_flows()
    with said(TAKEN, side):
        paths["key"].write_bytes(leaf.key_pem)


def another_root(rotation, files):
    """First everybody believes both, then everybody is certified by the new one, then it alone."""
    pair = rotation.pair
    with said(TAKEN, *pair.sidecars):
        files.trust("first root", "second root")
    for name, sidecar in (("client", pair.egress), ("server", pair.ingress)):
        with said(TAKEN, sidecar):
            files.renew(name, "fourth key")
    with said(TAKEN, *pair.sidecars):
        files.trust("second root")
    rotation.everything_flows()


def one_during_a_drain(rotation, files):
    """Who drains has nobody to show a new certificate to: it goes on as it was, to the end."""
    pair = rotation.pair
    rotation.newcomers.finish()
    pair.egress.process.send_signal(signal.SIGTERM)
    wait_until(lambda: "draining: " in pair.egress.log(), "it drains")
    with said(TAKEN, pair.ingress):
        for name in ("server", "client"):
            files.renew(name, "fifth key")
    rotation.everything_flows()


@pytest.fixture
def files(tmp_path):
    directory = tmp_path / "files"
    directory.mkdir()
    return Renewed(directory)


@pytest.mark.timeout(120 + 2 * SECONDS)
def test_streams_and_newcomers_pass_through_five_rotations(tmp_path, files):
    """Nothing is lost, nothing reset, nobody refused; what is botched is not taken, and said."""
    running = Sidecars(tmp_path, files)
    with serving(echo_or_tokens) as server:
        try:
            settings = {"workers": 2, "drain": {"timeout": "300s"}}
            pair = running.start_pair(server.forward, settings=settings)
            pair.egress.reload(pair.egress.document | {"drain": {"timeout": "300s"}})
            rotation = Rotation(pair)
            a_plain_one(rotation, files)
            a_half_written_one(rotation, files)
            a_mismatched_one(rotation, files)
            another_root(rotation, files)
            one_during_a_drain(rotation, files)
            whole, numbers = rotation.finish()
            pair.egress.process.wait(30)  # its drain is over; another signal would force it
        finally:
            running.stop()

    assert whole == [True] * PUMPS
    assert rotation.stream.broken is None
    assert numbers == list(range(len(numbers)))
    assert len(numbers) > SECONDS * 10
    assert rotation.newcomers.failures == []
    assert rotation.newcomers.served > STAGES
    assert pair.egress.log().count(REFUSED) == 1
    assert pair.ingress.log().count(REFUSED) == 2
    assert pair.egress.log().count(TAKEN) == 5  # and none in the drain
    for sidecar in pair.sidecars:
        assert sidecar.process.returncode == 0
        assert sidecar.lines("refused") == []
        ends = Counter(line["end_reason"] for line in sidecar.lines("connection"))
        # The reader of tokens is the one who left before the end.
        assert ends == {"finished": PUMPS + rotation.newcomers.served, "client_left": 1}
