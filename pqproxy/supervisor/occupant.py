"""Who listens on a port that we wanted, as far as /proc tells this user."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
    return holder_of(set(_listening_inodes(port)))


def holder_of(inodes: set[str]) -> Occupant | None:
    """Who holds one of these sockets, as far as this user may know."""
    if not inodes:
        return None
    # The oldest comes first: of an instance of ours that is the supervisor, not a worker.
    for process in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        if not inodes.isdisjoint(_socket_inodes(process)):
            return Occupant(int(process.name), _name_of(process))
    return None


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
    try:
        return (process / "comm").read_text().strip()
    except OSError:
        return "unknown"
