"""Listening sockets that a service manager has bound for us: sd_listen_fds(3).

They come as descriptors from 3 on, with names beside. One belongs to the listener that has its name
(FileDescriptorName=), or else to the one that would listen at its address. It is used as it is, by
all workers, and its file, if it has one, stays the manager's.
"""

import os
import socket
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass

from pqproxy.config.values import Address, TcpAddress, UnixAddress
from pqproxy.supervisor.errors import StartFailure

_FIRST = 3

# Where a listener would listen: family and host of each address that a name has.
Resolve = Callable[[TcpAddress], Sequence[tuple[int, str]]]


@dataclass(frozen=True, slots=True)
class PassedSocket:
    """A socket and the name that it came with; most have the name of their unit."""

    name: str
    socket: socket.socket

    def __str__(self) -> str:
        where = self.socket.getsockname()
        if self.socket.family == socket.AF_UNIX:
            return f"{self.name} at {UnixAddress(where)}"
        return f"{self.name} at {TcpAddress(where[0], where[1])}"


class Activation:
    """The sockets that were passed and that no listener has taken yet."""

    def __init__(self, passed: Sequence[PassedSocket] = ()) -> None:
        self._passed = list(passed)

    @staticmethod
    def from_environment(environ: MutableMapping[str, str]) -> "Activation":
        """Take what was passed to this process. Raises StartFailure for what does not listen."""
        meant = environ.pop("LISTEN_PID", "") == str(os.getpid())
        count = environ.pop("LISTEN_FDS", "")
        names = environ.pop("LISTEN_FDNAMES", "").split(":")
        if not meant:
            return Activation()
        if not count.isdecimal():
            raise StartFailure(f"LISTEN_FDS is {count!r}, not a number of sockets")
        names += [""] * int(count)
        return Activation([_passed(_FIRST + at, names[at]) for at in range(int(count))])

    def take(self, name: str, address: Address, resolve: Resolve) -> list[socket.socket]:
        """The sockets of the listener `name`, which would listen at `address`; often none."""
        taken = [one for one in self._passed if one.name == name]
        if not taken and self._passed:
            taken = [one for one in self._passed if _listens_at(one.socket, address, resolve)]
        self._passed = [one for one in self._passed if one not in taken]
        return [one.socket for one in taken]

    def finish(self) -> None:
        """Raise StartFailure where something was passed that nothing takes."""
        if self._passed:
            raise StartFailure(
                f"no listener takes the socket {', '.join(map(str, self._passed))}",
                "give FileDescriptorName= the name of a listener, health or control, or listen "
                "at that address",
            )


def _passed(descriptor: int, name: str) -> PassedSocket:
    name = name or f"descriptor {descriptor}"
    try:
        passed = socket.socket(fileno=descriptor)
        passed.set_inheritable(False)
        passed.setblocking(False)
        if passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            return PassedSocket(name, passed)
    except OSError as error:
        raise StartFailure(f"the socket {name} was passed and is none: {error.strerror}") from None
    raise StartFailure(
        f"the socket {name} was passed and does not listen", "use ListenStream= and Accept=no"
    )


def _listens_at(passed: socket.socket, address: Address, resolve: Resolve) -> bool:
    where = passed.getsockname()
    if isinstance(address, UnixAddress):
        return passed.family == socket.AF_UNIX and where == address.path
    if passed.family == socket.AF_UNIX or where[1] != address.port:
        return False
    if not address.host and where[0] in ("::", "0.0.0.0"):  # noqa: S104 - compared, not bound
        return True
    return (passed.family, where[0]) in resolve(address)
