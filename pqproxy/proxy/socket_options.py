"""The socket options that every connection gets, in one place."""

import socket
import struct

KEEPALIVE_IDLE = 30
KEEPALIVE_INTERVAL = 10
KEEPALIVE_COUNT = 3

_RESET = struct.pack("ii", 1, 0)
_FINISH = struct.pack("ii", 0, 0)


def configure(sock: socket.socket) -> None:
    """Make a socket non-blocking; on TCP, send at once and find out about dead peers."""
    sock.setblocking(False)
    _set_options(sock)


def socket_to_connect(family: int) -> socket.socket:
    """A new one, configured, for AF_INET, AF_INET6 or AF_UNIX."""
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    _set_options(sock)
    return sock


def _set_options(sock: socket.socket) -> None:
    if sock.family == socket.AF_UNIX:
        return
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, KEEPALIVE_INTERVAL)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)


def reset_on_close(sock: socket.socket) -> None:
    """Let the next close send RST and drop what is unsent."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


def finish_on_close(sock: socket.socket) -> None:
    """Let the next close send FIN behind what is unsent, as usual."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _FINISH)


def limit_unsent(sock: socket.socket, limit: int) -> None:
    """Let a TCP socket take no more while so many bytes wait behind those on their way."""
    if sock.family != socket.AF_UNIX:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, limit)
