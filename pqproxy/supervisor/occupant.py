"""Who listens on a port that we wanted, as far as /proc tells this user."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pqproxy.telemetry.log import printable

_COMMAND = 4  # words of a command line among which a program's name is: python -P -m NAME
LISTEN = "0A"  # the state column of /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Occupant:
    """A process that holds a socket."""

    pid: int
    name: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.name})"


def occupant_of(port: int) -> Occupant | None:
    """Who listens on a TCP port; None when it belongs to somebody else or is already gone."""
    return next(holders_of(port_inodes(port)), None)


def holders_of(inodes: set[str]) -> Iterator[Occupant]:
    """Who holds one of these sockets, as far as this user may know.

    The oldest comes first: of an instance of ours that is the supervisor, not a worker.
    """
    for process in _processes() if inodes else ():
        if not inodes.isdisjoint(_socket_inodes(process)):
            yield Occupant(int(process.name), _name_of(process))


def pqproxy_processes() -> Iterator[Occupant]:
    """Every pqproxy that runs on this machine, by its command line.

    What sockets it holds is another question: it forbids everybody but root to look.
    """
    for process in _processes():
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")[:_COMMAND]
        except OSError:
            continue
        if any(_is_ours(word) for word in words) and int(process.name) != os.getpid():
            yield Occupant(int(process.name), _name_of(process))


def _is_ours(word: bytes) -> bool:
    """`python …/bin/pqproxy`, `python -m pqproxy`, and `python -m pqproxy.proxy`."""
    return word == b"pqproxy" or word.endswith(b"/pqproxy") or word.startswith(b"pqproxy.")


def _processes() -> list[Path]:
    return sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name))


def port_inodes(port: int) -> set[str]:
    """Every socket that listens on a TCP port, at whatever address."""
    return set(_listening_inodes(port))


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == LISTEN and int(columns[1].rpartition(":")[2], 16) == port:
                yield columns[9]


def _socket_inodes(process: Path) -> Iterator[str]:
    try:
        descriptors = list((process / "fd").iterdir())
    except OSError:  # not ours to look into, or gone
        return
    for descriptor in descriptors:
        try:
            target = os.readlink(descriptor)
        except OSError:
            continue
        if target.startswith("socket:["):
            yield target[len("socket:[") : -1]


def _name_of(process: Path) -> str:
    """Any bytes: every user may call a process of his so, and it is shown to another one."""
    try:
        return printable((process / "comm").read_bytes().decode(errors="replace").strip())
    except OSError:
        return "unknown"
