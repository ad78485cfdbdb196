"""The socket options that every connection gets, in one place."""

import socket
import struct
import sys
from socket import SocketType

# A connection's socket, without what the library wraps around it in Python: that is a tenth of what
# it takes to accept or to connect one. `SocketType` itself can be neither `with` nor a file.
Socket = SocketType

KEEPALIVE_IDLE = 30
KEEPALIVE_INTERVAL = 10
KEEPALIVE_COUNT = 3

# Bytes that may wait in the kernel behind those on their way, in front of what is said next, and
# for a reader that has stopped: without a limit that is four megabytes, in the pod's memory. In a
# socket that drains fast it may be more, since little cuts nearly every write of bulk in two.
QUEUE = 128 * 1024
SWIFT_QUEUE = 2 * 1024 * 1024

_RESET = struct.pack("ii", 1, 0)
_FINISH = struct.pack("ii", 0, 0)

_INHERITS = sys.platform == "linux"  # accepted sockets have what their listener was given
_BACKLOG = struct.Struct("24x I")  # the beginning of struct tcp_info, up to tcpi_unacked


def configure(sock: Socket) -> None:
    """Make a socket non-blocking; on TCP, send at once and find out about dead peers."""
    sock.setblocking(False)
    _set_options(sock)


def socket_to_connect(family: int) -> Socket:
    """A new one, configured, for AF_INET, AF_INET6 or AF_UNIX."""
    sock = Socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    _set_options(sock)
    return sock


def waiting(listener: socket.socket) -> int:
    """How many connections wait in a listener's queue: they were there before its options were."""
    if listener.family == socket.AF_UNIX or not _INHERITS:
        return 0
    info = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _BACKLOG.size)
    return int(_BACKLOG.unpack(info)[0])


def accepted(listener: socket.socket, family: int) -> tuple[Socket, object]:
    """(a socket from a listener's queue, its peer's address). Raises OSError.

    Non-blocking; all else that `configure` does it has from the listener, where the kernel does so.
    """
    descriptor, address = listener._accept()  # type: ignore[attr-defined] # all that `accept` has of the system
    sock = Socket(family, socket.SOCK_STREAM, 0, descriptor)
    sock.setblocking(False)
    if not _INHERITS:
        _set_options(sock)
    return sock, address


def _set_options(sock: Socket) -> None:
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, QUEUE)


def reset_on_close(sock: Socket) -> None:
    """Let the next close send RST and drop what is unsent."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def finish_on_close(sock: Socket) -> None:
    """Let the next close send FIN behind what is unsent, as usual."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FINISH)


def limit_queue(sock: Socket, *, swift: bool) -> None:
    """Let a TCP socket take no more while so many bytes wait in it."""
    if sock.family != socket.AF_UNIX:
        limit = SWIFT_QUEUE if swift else QUEUE
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limit)
