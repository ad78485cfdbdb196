"""Real sidecars: the command line with a generated configuration and generated certificates.

A sidecar that printed a traceback, or that does not end when asked to, fails the test that
stopped it.
"""

import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from pqproxy.identity.authority import create_authority, issue
from pqproxy.identity.certificates import LeafNames
from pqproxy.identity.leaves import leaf_files
from tests.support.processes import CLOSE_WAIT, family, resident, tcp_sockets
from tests.support.waiting import wait_until

TRUST_DOMAIN = "test.internal"
SERVER = f"spiffe://{TRUST_DOMAIN}/server"
CLIENT = f"spiffe://{TRUST_DOMAIN}/client"
STRANGER = f"spiffe://{TRUST_DOMAIN}/stranger"

# Below those that the kernel gives to whoever asks for any, so that nobody takes one meanwhile;
# test runners side by side begin at different ones.
_PORTS = range(10_000, 32_000)
_places = itertools.count(os.getpid() * 97)


class Certificates:
    """An authority with a server, a client, and a client that nobody allows."""

    def __init__(self, directory, algorithm="ecdsa-p256"):
        now = datetime.now(UTC)
        authority = create_authority(directory, algorithm, now=now, trust_domain=TRUST_DOMAIN)
        self.root = str(authority.path)
        self._directory, self._algorithm = directory, algorithm
        for name, identity in (("server", SERVER), ("client", CLIENT), ("stranger", STRANGER)):
            names = LeafNames.parse(spiffe=(identity,), dns=("localhost",), ip=("127.0.0.1",))
            issue(authority, name, names, now=now, days=1)

    def entry(self, name):
        """The files of a leaf, as a configuration names them."""
        files = leaf_files(self._directory, name, self._algorithm)
        return {"certificate": str(files.certificate), "key": str(files.key)}


def free_port():
    """A port that nobody listens on now, and that nobody is given who asks for any."""
    for place in _places:
        port = _PORTS[place % len(_PORTS)]
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("the places have no end")


def ingress(certificates, listen, forward, settings=None, **more):
    """The configuration of a sidecar in front of a server; `settings` are of the whole file."""
    entry = {
        "name": "llm",
        "listen": listen,
        "forward": forward,
        "identities": ["own"],
        "trust": "mesh",
        "client_auth": "require",
        "allow": [CLIENT],
    }
    return _document(certificates, "server", ingress=[entry | more], **(settings or {}))


def egress(certificates, listen, connect, identity="client", **more):
    """The configuration of a sidecar beside a client."""
    entry = {
        "name": "to-llm",
        "listen": listen,
        "connect": [connect],
        "identities": ["own"],
        "trust": "mesh",
        "expect": [SERVER],
    }
    return _document(certificates, identity, egress=[entry | more])


def _document(certificates, identity, **listeners):
    return {
        "version": 1,
        "identities": {"own": certificates.entry(identity)},
        "trust": {"mesh": {"roots": [certificates.root]}},
        "health": {"listen": f"127.0.0.1:{free_port()}"},
        "control": {"listen": f"127.0.0.1:{free_port()}"},
        "drain": {"timeout": "2s"},
        "log": {"format": "json"},
        **listeners,
    }


class Sidecar:
    """One running sidecar. `document` must have a health listener."""

    def __init__(self, directory, name, document, under=()):
        self.document = document
        self.health = f"http://{document['health']['listen']}"
        listener = (document.get("ingress") or document.get("egress"))[0]
        self.listen = listener["listen"]
        self.address = _where(self.listen)
        title = f"{name}-{self.health.rpartition(':')[2]}"
        self._log = directory / f"{title}.log"
        self._entries, self._rest, self._read = [], b"", 0  # of the log, as far as it is read
        self._stopped = False
        self.config = directory / f"{title}.yaml"
        self.config.write_text(json.dumps(document))
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [*under, sys.executable, "-P", "-m", "pqproxy", "-c", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_until_ready(self):
        def ready():
            assert self.process.poll() is None, self.log()
            return "pqproxy is ready" in self.log()

        wait_until(ready, "sidecar ready", 60)
        said = self.readiness()  # one whose server is down may have found that out already
        assert said == "ok" or said.endswith("cannot be reached"), said
        return self

    def readiness(self):
        """What /readyz says: ok, or why not."""
        try:
            with urllib.request.urlopen(self.health + "/readyz", timeout=20) as answer:  # noqa: S310 - our own
                return answer.read().decode().strip()
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode().strip()

    def probe(self, path, timeout=5):
        """The status of a health path; None where nobody answers."""
        try:
            with urllib.request.urlopen(self.health + path, timeout=timeout) as answer:  # noqa: S310 - our own
                return answer.status
        except urllib.error.HTTPError as error:
            with error:
                return error.code
        except (urllib.error.URLError, ConnectionError):
            return None

    def metrics(self):
        """The text of /metrics."""
        with urllib.request.urlopen(self.health + "/metrics", timeout=5) as answer:  # noqa: S310 - our own
            return answer.read().decode()

    def command(self, *arguments):
        """Run a command of pqproxy that finds this sidecar by its configuration."""
        return subprocess.run(
            [sys.executable, "-P", "-m", "pqproxy", *arguments, "-c", str(self.config)],
            capture_output=True,
            text=True,
            timeout=60,
        )

    def status(self):
        """What `pqproxy status` tells a program."""
        return json.loads(self.command("status", "-o", "json").stdout)

    def reload(self, document):
        """Write another configuration and run `pqproxy reload`; return how that ended."""
        self.config.write_text(json.dumps(document, indent=1))
        return self.command("reload")

    def log(self):
        return self._log.read_text(errors="replace")

    def lines(self, event):
        """The log lines of an event, in order."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        self._read += len(new)
        *lines, self._rest = (self._rest + new).split(b"\n")
        self._entries += [json.loads(line) for line in lines if line.startswith(b"{")]
        return [entry for entry in self._entries if entry["event"] == event]

    def forget(self):
        """Let the log lines begin after those of now."""
        self.lines(None)
        self._entries.clear()

    def wait_for(self, event, count=1, seconds=40.0):
        """The lines of an event, once there are `count`."""
        found = f"{count} {event} lines"
        wait_until(lambda: len(self.lines(event)) >= count, found, seconds)
        return self.lines(event)

    def family(self):
        return family(self.process.pid)

    @property
    def workers(self):
        """The processes that carry the data."""
        return self.family()[1:]

    @property
    def worker(self):
        """The only one of them."""
        (worker,) = self.workers
        return worker

    def resident(self):
        """Bytes of memory of the worker."""
        return resident(self.worker)

    def close_waits(self):
        """Connections whose peer has left and that we did not close."""
        return tcp_sockets(self.family(), CLOSE_WAIT)

    def stop(self, number=signal.SIGTERM, seconds=40.0):
        """End it, and return its exit code."""
        if not self._stopped:
            self._stopped = True
            self.process.send_signal(number)  # nothing happens where it has ended already
            self.process.wait(seconds)
            assert '"traceback"' not in self.log(), self.log()
            assert "Traceback" not in self.log(), self.log()
        return self.process.returncode

    def kill(self):
        """Whatever happened: leave nothing behind. The worker ends with its supervisor."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@dataclass(frozen=True)
class Pair:
    """`egress` takes plaintext and talks TLS to `ingress`, which gives plaintext to the server."""

    egress: Sidecar
    ingress: Sidecar

    @property
    def address(self):
        """Where the client connects."""
        return self.egress.address

    @property
    def sidecars(self):
        return self.egress, self.ingress


class Sidecars:
    """Starts sidecars and ends them with the test."""

    def __init__(self, directory, certificates):
        self.certificates = certificates
        self._directory = directory
        self._running = []

    def start(self, name, document, under=()):
        """Start one, without waiting for it; `under` is a command that starts commands."""
        sidecar = Sidecar(self._directory, name, document, under)
        self._running.append(sidecar)
        return sidecar

    def start_ingress(self, forward, **more):
        listen = f"127.0.0.1:{free_port()}"
        document = ingress(self.certificates, listen, forward, **more)
        return self.start("ingress", document).wait_until_ready()

    def start_egress(self, connect, **more):
        listen = f"127.0.0.1:{free_port()}"
        document = egress(self.certificates, listen, connect, **more)
        return self.start("egress", document).wait_until_ready()

    def start_pair(self, forward, tunnel="auto", **more):
        """Both, in front of `forward`; `more` is said of the ingress."""
        front = self.start_ingress(forward, **more)
        return Pair(self.start_egress(front.listen, tunnel={"mode": tunnel}), front)

    def stop(self):
        """End all; the last one first."""
        try:
            while self._running:
                self._running.pop().stop()
        finally:
            for sidecar in self._running:
                sidecar.kill()


def _where(listen):
    """What a socket connects to."""
    if listen.startswith("unix:"):
        return listen.removeprefix("unix:")
    host, _, port = listen.rpartition(":")
    return host, int(port)


def shown_certificate(address):
    """The certificate that a newcomer is shown, in DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(address, timeout=20) as plain,
        context.wrap_socket(plain) as connection,
    ):
        return connection.getpeercert(binary_form=True)
