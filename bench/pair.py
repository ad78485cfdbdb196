"""What a pair of proxies is to the harness, and how one is started."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.certificates import Certificates
from bench.processes import LOAD_CORE, PROXY_CORE, free_port, module, server

GROUP = "X25519MLKEM768"


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the parts of one pair meet. Ports are on the loopback."""

    directory: Path
    certificates: Certificates
    backend: int  # plaintext, the server behind the pair
    entry: int  # plaintext, what a client connects to
    mutual: int  # TLS, client certificate required: what the egress connects to
    anonymous: int  # TLS, no client certificate asked for


@dataclass(frozen=True, slots=True)
class Pair:
    """A running pair: process ids of the top process of each side."""

    plan: Plan
    egress: int
    ingress: int

    @property
    def processes(self) -> tuple[int, int]:
        return self.egress, self.ingress


class Peer(Protocol):
    """A kind of proxy."""

    name: str

    def missing(self) -> str | None:
        """Why it cannot be measured on this machine, or None."""

    def version(self) -> str:
        """What is measured, as a person would name it."""

    def egress(self, plan: Plan) -> list[str]:
        """Write what it needs into the plan's directory; the command that runs it."""

    def ingress(self, plan: Plan) -> list[str]:
        """As `egress`."""


@contextmanager
def running(peer: Peer, directory: Path, certificates: Certificates) -> Iterator[Pair]:
    """Run a pair with a server of its own behind it."""
    directory.mkdir()
    plan = Plan(directory, certificates, *(free_port() for _ in range(4)))
    with ExitStack() as stack:

        def start(name: str, argv: list[str], core: int, *ports: int) -> int:
            log = directory / f"{name}.log"
            return stack.enter_context(server(argv, core=core, ports=ports, log=log)).pid

        start("backend", module("bench.backend", plan.backend), LOAD_CORE, plan.backend)
        ingress = start("ingress", peer.ingress(plan), PROXY_CORE, plan.mutual, plan.anonymous)
        egress = start("egress", peer.egress(plan), PROXY_CORE, plan.entry)
        yield Pair(plan, egress, ingress)
