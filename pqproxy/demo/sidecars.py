"""The pair of the demo: two real sidecars, each with a configuration of its own.

One stands in front of the model server, the other beside the client; both show a certificate of
an authority made for this run.
"""

import asyncio
import json
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from pqproxy.demo.certificates import CLIENT, SERVER, Certificates
from pqproxy.demo.processes import Child, Children
from pqproxy.demo.report import connections

_START = 15.0  # seconds until a sidecar is ready, on a busy machine
_POLL_INTERVAL = 0.02


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A running sidecar."""

    address: str  # where it listens
    child: Child

    async def first_connection(self, patience: float) -> dict[str, Any]:
        """The log line of the first connection that it carried, waited for.

        Raises ChildFailed where the sidecar ends or the time runs out before.
        """
        deadline = time.monotonic() + patience
        while True:
            for line in connections(self.child.log()):
                return line
            self.child.check(deadline)
            await asyncio.sleep(_POLL_INTERVAL)


@dataclass(frozen=True, slots=True)
class Pair:
    """Both of them: `egress` takes the client's plaintext, `ingress` gives it to the server."""

    egress: Sidecar
    ingress: Sidecar


async def start_pair(children: Children, directory: Path, upstream: str, now: datetime) -> Pair:
    """Start both sidecars and wait until they are ready."""
    certificates = Certificates.create(directory / "certificates", now)
    front, beside, *health = (f"127.0.0.1:{port}" for port in _free_ports(4))
    ingress = {
        "name": "in-front-of-model",
        "listen": front,
        "forward": upstream,
        "identities": ["own"],
        "trust": "demo",
        "client_auth": "require",
        "allow": [CLIENT],
    }
    egress = {
        "name": "beside-client",
        "listen": beside,
        "connect": [front],
        "identities": ["own"],
        "trust": "demo",
        "expect": [SERVER],
    }
    identities = (certificates.server, certificates.client)
    for role, entry, identity, port in zip(
        ("ingress", "egress"), (ingress, egress), identities, health, strict=True
    ):
        document = _document(role, entry, identity, certificates.root)
        document["health"] = {"listen": port}
        # JSON is YAML too.
        (directory / f"{role}.yaml").write_text(json.dumps(document, indent=2))
    sidecars = [
        children.start(role, ["-P", "-m", "pqproxy", "-c", str(directory / f"{role}.yaml")])
        for role in ("ingress", "egress")
    ]
    for sidecar, port in zip(sidecars, health, strict=True):
        await _wait_until_ready(sidecar, f"http://{port}/readyz")
    return Pair(egress=Sidecar(beside, sidecars[1]), ingress=Sidecar(front, sidecars[0]))


def _document(
    role: str, entry: dict[str, Any], identity: dict[str, str], root: str
) -> dict[str, Any]:
    return {
        "version": 1,
        "identities": {"own": identity},
        "trust": {"demo": {"roots": [root]}},
        role: [entry],
        "drain": {"timeout": "1s"},
        "log": {"format": "json"},
    }


async def _wait_until_ready(sidecar: Child, url: str) -> None:
    deadline = time.monotonic() + _START
    async with aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(url) as response:
                    if response.status == 200:
                        return
            except aiohttp.ClientError:
                pass  # it does not listen yet
            sidecar.check(deadline)
            await asyncio.sleep(_POLL_INTERVAL)


def _free_ports(count: int) -> list[int]:
    """Ports that nobody listens on now."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in listeners]
    for listener in listeners:
        listener.close()
    return ports
