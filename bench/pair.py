"""What a pair of proxies is to the harness, and how one is started."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.certificates import Certificates
from bench.processes import PROXY_CORES, free_port, server

GROUP = "X25519MLKEM768"
CLASSICAL_GROUP = "X25519"  # of those that know no better


@dataclass(frozen=True, slots=True)
class Plan:
    """Where the parts of one pair meet. Ports are on the loopback."""

    directory: Path
    certificates: Certificates
    backend: int  # plaintext, the server behind the pair
    entry: int  # plaintext, what a client connects to
    mutual: int  # TLS, client certificate required: what the egress connects to
    anonymous: int  # TLS, no client certificate asked for
    workers: int = 1  # of each side


@dataclass(frozen=True, slots=True)
class Pair:
    """A running pair."""

    contender: str
    group: str  # of the key exchange between its sides; empty: no TLS
    plan: Plan
    processes: tuple[int, ...]  # roots: egress and ingress; none where nothing stands between

    @property
    def entry(self) -> int:
        """The port that clients connect to."""
        return self.plan.entry

    @property
    def egress(self) -> int:
        """The top process of the side that clients connect to."""
        return self.processes[0]

    @property
    def ingress(self) -> int:
        """The top process of the side that connects to the backend."""
        return self.processes[1]


class Peer(Protocol):
    """A kind of proxy, set up in one way."""

    name: str
    group: str
    workers: int

    def missing(self) -> str | None:
        """Why it cannot be measured on this machine, or None."""

    def version(self) -> str:
        """What is measured, as a person would name it."""

    def egress(self, plan: Plan) -> list[str]:
        """Write what it needs into the plan's directory; the command that runs it."""

    def ingress(self, plan: Plan) -> list[str]:
        """As `egress`."""


@contextmanager
def running(
    peer: Peer, directory: Path, certificates: Certificates, backend: int
) -> Iterator[Pair]:
    """Run a pair in front of a server that listens on the port `backend`."""
    directory.mkdir(parents=True)
    ports = (free_port() for _ in range(3))
    plan = Plan(directory, certificates, backend, *ports, workers=peer.workers)
    cores = PROXY_CORES[: max(1, peer.workers)]
    with ExitStack() as stack:

        def start(name: str, argv: list[str], *ports: int) -> int:
            log = directory / f"{name}.log"
            return stack.enter_context(server(argv, cores=cores, ports=ports, log=log)).pid

        ingress = start("ingress", peer.ingress(plan), plan.mutual, plan.anonymous)
        egress = start("egress", peer.egress(plan), plan.entry)
        yield Pair(peer.name, peer.group, plan, (egress, ingress))


@contextmanager
def direct(directory: Path, certificates: Certificates, backend: int) -> Iterator[Pair]:
    """No proxies at all: what the machine, the client and the server do by themselves."""
    yield Pair("direct", "", Plan(directory, certificates, backend, backend, 0, 0), ())
