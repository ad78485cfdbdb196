"""Who listens where, as /proc tells without a connection: to look must not be to knock."""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from pqproxy.config.values import Address, TcpAddress, UnixAddress
from pqproxy.supervisor.occupant import LISTEN

_TCP_TABLES = {socket.AF_INET: "/proc/net/tcp", socket.AF_INET6: "/proc/net/tcp6"}
_ACCEPTS = 0x10000  # the flag of a listening unix socket
_ANY = {"0.0.0.0", "::"}  # noqa: S104 - recognised, not bound
_MAPPED = "::ffff:"


def listening_inodes(address: Address) -> set[str] | None:
    """The sockets that a connection to a local address may reach; None where nobody can tell."""
    try:
        if isinstance(address, UnixAddress):
            return set(_unix_inodes(address))
        hosts = _hosts(address)
        found = list(_tcp_listeners())
    except OSError:
        return None
    return {inode for host, port, inode in found if port == address.port and host in hosts}


def _hosts(address: TcpAddress) -> set[str]:
    resolved = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_STREAM)
    hosts = {str(where[0]) for _, _, _, _, where in resolved}
    return hosts | {f"{_MAPPED}{host}" for host in hosts if ":" not in host} | _ANY


def _tcp_listeners() -> Iterator[tuple[str, int, str]]:
    """Host, port and inode of every listening socket of this network namespace."""
    read = 0
    for family, table in _TCP_TABLES.items():
        try:
            rows = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:  # a kernel without IPv6
            continue
        read += 1
        for row in rows:
            columns = row.split()
            if columns[3] == LISTEN:
                host, _, port = columns[1].partition(":")
                yield _unpack(family, host), int(port, 16), columns[9]
    if not read:
        raise FileNotFoundError("no table of sockets")


def _unpack(family: int, text: str) -> str:
    """The kernel prints addresses as words of its own byte order."""
    words = [int(text[start : start + 8], 16) for start in range(0, len(text), 8)]
    return socket.inet_ntop(family, b"".join(struct.pack("=I", word) for word in words))


def _unix_inodes(address: UnixAddress) -> Iterator[str]:
    for row in Path("/proc/net/unix").read_text().splitlines()[1:]:
        columns = row.split(maxsplit=7)
        if len(columns) == 8 and columns[7] == address.path and int(columns[3], 16) & _ACCEPTS:
            yield columns[6]
