"""Listening sockets on their way into a worker that runs.

They travel beside the channel, over a pair of datagram sockets of their own: an event loop's
transport carries bytes and no descriptors. Each datagram is the number of a reload and some
descriptors. They are sent before the frame of the channel that speaks of them, and a unix datagram
has arrived when its send returns; so nobody ever waits for one.

One way only: the supervisor reads nothing here.
"""

import contextlib
import socket
from collections.abc import Sequence

_BATCH = 253  # descriptors that the kernel takes in one message (SCM_MAX_FD)
_NUMBER = 8  # bytes


class HandoverFailed(Exception):
    """Sockets did not arrive, or could not leave."""


def open_handover() -> tuple[socket.socket, socket.socket]:
    """(the supervisor's end, the worker's end); both non-blocking."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.setblocking(False)
    theirs.setblocking(False)
    return ours, theirs


def send_sockets(end: socket.socket, reload: int, sockets: Sequence[socket.socket]) -> None:
    """Give copies of sockets to the worker. Raises HandoverFailed when it takes none."""
    try:
        for start in range(0, len(sockets), _BATCH):
            batch = [one.fileno() for one in sockets[start : start + _BATCH]]
            socket.send_fds(end, [reload.to_bytes(_NUMBER, "big")], batch)
    except OSError as error:
        raise HandoverFailed(f"it takes no sockets: {error.strerror}") from None


def receive_sockets(end: socket.socket, reload: int, count: int) -> list[socket.socket]:
    """Take the `count` sockets of a reload, in their order. Raises HandoverFailed.

    What is left over from a reload that came to nothing is closed.
    """
    received: list[socket.socket] = []
    while len(received) < count:
        try:
            number, descriptors, _, _ = socket.recv_fds(end, _NUMBER, _BATCH)
        except OSError:  # all have been sent: what is not here now never comes
            close_all(received)
            raise HandoverFailed(
                f"{len(received)} of {count} sockets arrived: is the limit of descriptors reached?"
            ) from None
        sockets = [socket.socket(fileno=descriptor) for descriptor in descriptors]
        for one in sockets:
            one.set_inheritable(False)  # those that arrive so are
        if int.from_bytes(number, "big") == reload:
            received += sockets
        else:
            close_all(sockets)
    return received


def close_all(sockets: Sequence[socket.socket]) -> None:
    """Give sockets up."""
    for one in sockets:
        with contextlib.suppress(OSError):
            one.close()
