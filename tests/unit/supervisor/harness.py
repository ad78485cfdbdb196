"""A supervisor in its own process, with a fake worker, on ports of its own."""

import asyncio
import contextlib
import http.client
import json
import os
import pickle
import re
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from pqproxy.config.values import Drain, Ingress, Log, Settings, TcpAddress

ROOT = Path(__file__).parents[3]
FAKE_WORKER = "tests.unit.supervisor.fake_worker"


def ingress(name="llm", listen=TcpAddress("127.0.0.1", 0), **changes):  # noqa: B008 - frozen
    plain = Ingress(
        name=name, listen=listen, forward=TcpAddress("127.0.0.1", 9), identities=(), trust=None
    )
    return replace(plain, **changes)


def settings(**changes):
    plain = Settings(
        identities=(),
        trust=(),
        ingress=(ingress(),),
        egress=(),
        health=TcpAddress("127.0.0.1", 0),
        log=Log(format="text"),
        drain=Drain(timeout=20.0),
    )
    return replace(plain, **changes)


async def soon(true):
    """Wait until something is so, in a test that runs its own loop."""
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for is another process
            await asyncio.sleep(0.01)


class Supervisor:
    """A started `run(settings)` and what it writes to stderr."""

    def __init__(
        self,
        directory,
        settings,
        worker=FAKE_WORKER,
        without_stderr=False,
        terminal=None,
        **environment,
    ):
        self._log = directory / "stderr.txt"
        self._settings = directory / "settings.pickle"
        self.rewrite(settings)
        command = [sys.executable, "-m", "tests.unit.supervisor.launch"]
        command += [str(self._settings), worker]
        with self._log.open("wb") as stderr:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", 'exec "$@"' + " 2>&-" * without_stderr, "sh", *command],
                cwd=ROOT,
                stderr=stderr if terminal is None else terminal,
                env={**os.environ, **environment},
            )

    def rewrite(self, settings):
        """What a reload will read, be it one of the files alone."""
        beside = self._settings.with_suffix(".new")
        beside.write_bytes(pickle.dumps(settings))
        beside.rename(self._settings)

    def reload(self, settings):
        """(status, answer) of a reload to other settings, or to a tuple of problems."""
        self.rewrite(settings)
        status, body = self.get("/reload", "POST", title="control", Host="localhost")
        return status, json.loads(body)

    @property
    def log(self):
        return self._log.read_text()

    def until(self, true, what, seconds=60):
        deadline = time.monotonic() + seconds
        while not (value := true()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                value = true()
                assert value, f"{what}; stderr:\n{self.log}"
                return value
            time.sleep(0.01)
        return value

    def ready(self):
        self.until(lambda: "pqproxy is ready" in self.log, "never ready")
        return self

    def address(self, title):
        host, port = re.search(rf" {title} at (\S+):(\d+)", self.log).groups()
        return host.strip("[]"), int(port)

    def connect(self, name="ingress llm"):
        return socket.create_connection(self.address(name), timeout=20)

    def get(self, path, method="GET", title="health", **headers):
        connection = http.client.HTTPConnection(*self.address(title), timeout=20)
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        body = response.read().decode()
        connection.close()
        return response.status, body

    def metric(self, name):
        for line in self.get("/metrics")[1].splitlines():
            if line.startswith(name + " "):
                return float(line.rpartition(" ")[2])
        return None

    def workers(self):
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(pid) for pid in children.read_text().split()]

    def signal(self, number):
        self.process.send_signal(number)

    def wait(self):
        return self.process.wait(timeout=30)

    def close(self):
        """End it, and the worker that hangs and would not notice."""
        if self.process.poll() is None:
            workers = self.workers()
            self.process.kill()
            for pid in workers:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self.process.wait()
