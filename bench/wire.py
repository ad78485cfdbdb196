"""What has gone over TCP connections so far, by the kernel's own count (sock_diag of netlink).

Nothing stands between the two sides of a pair for it, so what is counted is what always happens.
The counts are of TCP's payload: what segments add depends on the network, and on a loopback it
says nothing of any other.
"""

import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY, DUMP_REQUEST = 20, 0x301
ERROR, DONE = 2, 3  # types of netlink messages
MESSAGE = struct.Struct("=IHHII")  # length, type, flags, sequence, port id
REQUEST = struct.Struct("=BBBBI48s")  # inet_diag_req_v2: family, protocol, ext, pad, states, id
CONNECTION = struct.Struct(">4xHH64x")  # inet_diag_msg: source and destination port
ATTRIBUTE = struct.Struct("=HH")  # length, type
TCP_INFO = 2
OPEN_STATES = sum(1 << state for state in (1, 4, 5, 8))  # established, and those half-closed
COUNTS = struct.Struct("=120xQQ")  # of struct tcp_info: bytes_acked, bytes_received


@dataclass(frozen=True, slots=True)
class Connection:
    """One end of a TCP connection."""

    local_port: int
    remote_port: int
    carried: int  # bytes of payload, both directions


def counts(remote_port: int) -> dict[int, int]:
    """Local port: bytes carried, of each open connection to this port over IPv4.

    Raises OSError where the kernel does not tell.
    """
    family = (socket.AF_INET, socket.IPPROTO_TCP, 1 << (TCP_INFO - 1), 0)
    asked = REQUEST.pack(*family, OPEN_STATES, bytes(48))
    head = MESSAGE.pack(MESSAGE.size + len(asked), SOCK_DIAG_BY_FAMILY, DUMP_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as netlink:
        netlink.send(head + asked)
        return {each.local_port: each.carried for each in _dump(netlink, remote_port)}


def carried(before: dict[int, int], after: dict[int, int]) -> int:
    """Bytes between two counts, over the connections that are open at the end."""
    return sum(count - before.get(port, 0) for port, count in after.items())


def _dump(netlink: socket.socket, remote_port: int) -> Iterator[Connection]:
    while True:
        for kind, body in messages(netlink.recv(1 << 16)):
            if kind == DONE:
                return
            if kind == ERROR:
                raise OSError(-struct.unpack_from("=i", body)[0], "sock_diag is refused")
            connection = parse(body)
            if connection.remote_port == remote_port:
                yield connection


def messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and body of each netlink message in what was received."""
    while data:
        length, kind, *_ = MESSAGE.unpack_from(data)
        yield kind, data[MESSAGE.size : length]
        data = data[_aligned(length) :]


def parse(body: bytes) -> Connection:
    """Read an inet_diag_msg; a connection without tcp_info has carried nothing."""
    local_port, remote_port = CONNECTION.unpack_from(body)
    attributes = body[CONNECTION.size :]
    while attributes:
        length, kind = ATTRIBUTE.unpack_from(attributes)
        if kind == TCP_INFO:
            acked, received = COUNTS.unpack_from(attributes[ATTRIBUTE.size :])
            return Connection(local_port, remote_port, acked + received)
        attributes = attributes[_aligned(length) :]
    return Connection(local_port, remote_port, 0)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
