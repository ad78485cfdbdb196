"""The listening sockets: bound once, before anything else starts, and kept open.

Sockets outlive workers. A connection that arrives while a worker is being replaced waits in the
queue of a socket that the supervisor still holds.

Several workers have a socket each for every TCP address, among which the kernel shares out new
connections (SO_REUSEPORT). That option would let a second instance of the same user in as well, to
take half of our connections. So the first socket listens without it, which fails where anybody
listens already, and only then gets it and is joined by the others: at no moment is there a port
without a listener of ours, and who asks for it without the option, as every instance does first, is
turned away. A unix socket cannot be shared out like that, nor can one that a service manager has
bound for us: all workers accept from the same one.
"""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pqproxy.config.addresses import is_loopback
from pqproxy.config.values import Address, Settings, TcpAddress, UnixAddress
from pqproxy.supervisor.activation import Activation
from pqproxy.supervisor.errors import StartFailure
from pqproxy.supervisor.occupant import occupant_of, pqproxy_processes

BACKLOG = 4096  # the kernel lowers it to net.core.somaxconn
DATA_MODE = 0o660  # a unix socket for applications: owner and group
CONTROL_MODE = 0o600  # the one that tells about us: owner only


Group = tuple[socket.socket, ...]  # what listens at one address: a socket for each worker


@dataclass
class Bound:
    """Every socket of one run."""

    workers: int
    listeners: dict[str, list[Group]] = field(default_factory=dict)  # a group for each address
    health: list[socket.socket] = field(default_factory=list)
    control: list[socket.socket] = field(default_factory=list)
    activation: Activation = field(default_factory=Activation)  # sockets that we need not bind
    _unix_files: dict[str, int] = field(default_factory=dict)  # with their inodes

    def sockets(self, place: int) -> dict[str, list[socket.socket]]:
        """By listener, the sockets of the worker in this place, and of whoever replaces it."""
        return {name: [group[place] for group in groups] for name, groups in self.listeners.items()}

    def own_sockets(self, place: int) -> dict[str, list[socket.socket]]:
        """Of those, the ones that no other worker accepts from."""
        return {
            name: [group[place] for group in groups if len(set(group)) > 1]
            for name, groups in self.listeners.items()
        }

    def addresses(self, listener: str) -> list[str]:
        """Where a listener really listens: nowhere once a drain has closed it."""
        opened = (group[0] for group in self.listeners[listener] if group[0].fileno() >= 0)
        return [shown_address(one) for one in opened]

    def close_listeners(self) -> None:
        """Give up our hold of the data path, so that a worker's close really closes."""
        for groups in self.listeners.values():
            for group in groups:
                _close(group)

    def close(self) -> None:
        """Close everything and remove our unix socket files."""
        self.close_listeners()
        for bound in (*self.health, *self.control):
            bound.close()
        for path in list(self._unix_files):
            self._remove_file(path)

    def give_up(self, groups: Iterable[Group]) -> None:
        """Close the sockets of a listener that is no more, and remove its unix socket file."""
        for group in groups:
            if group[0].family == socket.AF_UNIX:
                self._remove_file(group[0].getsockname())
            _close(group)

    def bind_listener(self, title: str, address: Address) -> list[Group]:
        """Listen at `address` with every worker. Raises StartFailure, which begins with `title`."""
        if passed := self._take_passed(title, address, DATA_MODE):
            return [(one,) * self.workers for one in passed]
        firsts = self.bind(title, address, DATA_MODE)
        groups: list[Group] = []
        try:
            for first in firsts:
                groups.append(_widen(first, self.workers))
        except OSError as error:
            _close([*firsts, *(one for group in groups for one in group)])
            raise StartFailure(f"{title}: cannot listen at {address}: {error.strerror}") from None
        return groups

    def bind(self, title: str, address: Address, mode: int) -> list[socket.socket]:
        """Listen at `address`, where nobody else may. Raises StartFailure: `title` and why."""
        if passed := self._take_passed(title, address, mode):
            return passed
        if isinstance(address, TcpAddress):
            return _bind_tcp(title, address)
        bound = _bind_unix(title, address, mode)
        self._unix_files[address.path] = os.stat(address.path).st_ino
        return [bound]

    def _take_passed(self, title: str, address: Address, mode: int) -> list[socket.socket]:
        name = title.rpartition(" ")[2]  # "ingress llm", "health"
        passed = self.activation.take(name, address, lambda tcp: _resolve(title, tcp))
        for one in passed:
            _check_passed(title, address, one, mode)
        return passed

    def _remove_file(self, path: str) -> None:
        inode = self._unix_files.pop(path, None)
        if inode is None:  # a service manager's, if there is a file at all
            return
        with contextlib.suppress(OSError):
            if os.stat(path).st_ino == inode:  # not what another instance put there since
                os.unlink(path)


@contextlib.contextmanager
def bind_all(settings: Settings, activation: Activation | None = None) -> Iterator[Bound]:
    """Bind every listener of the settings, or none. Raises StartFailure.

    What was passed is used instead, and all of it must be.
    """
    bound = Bound(settings.workers, activation=activation or Activation())
    try:
        for ingress in settings.ingress:
            bound.listeners[ingress.name] = bound.bind_listener(
                f"ingress {ingress.name}", ingress.listen
            )
        for egress in settings.egress:
            bound.listeners[egress.name] = bound.bind_listener(
                f"egress {egress.name}", egress.listen
            )
        if settings.health is not None:
            bound.health = bound.bind("health", settings.health, DATA_MODE)
        if settings.control is not None:
            bound.control = bound.bind("control", settings.control, CONTROL_MODE)
        bound.activation.finish()
        yield bound
    finally:
        bound.close()


def shown_address(bound: socket.socket) -> str:
    """Where a socket really listens: the port that the kernel chose, for port 0."""
    name = bound.getsockname()
    if bound.family == socket.AF_UNIX:
        return str(UnixAddress(name))
    return str(TcpAddress(name[0], name[1]))


def _check_passed(title: str, address: Address, passed: socket.socket, mode: int) -> None:
    """Raise StartFailure for a socket that lets in whom the configuration was judged to keep out.

    What is safe for an address of this machine alone (plaintext, anonymous clients, orders) is not
    for another one, whatever name the socket came with.
    """
    where = shown_address(passed)
    if passed.family == socket.AF_UNIX:
        if mode == CONTROL_MODE and _is_open_to_all(passed.getsockname()):
            raise StartFailure(
                f"{title}: every user of this machine may write to the socket passed at {where}",
                "set SocketMode=0600 in its unit",
            )
    elif is_loopback(address) and not is_loopback(TcpAddress(*passed.getsockname()[:2])):
        raise StartFailure(
            f"{title}: the socket passed at {where} is open to other machines, {address} is not",
            "give it that address (ListenStream=), or write its own in the configuration",
        )


def _is_open_to_all(path: str | bytes) -> bool:
    try:
        return bool(os.stat(path).st_mode & stat.S_IWOTH)
    except (OSError, ValueError):  # it has no file, and so no mode: abstract
        return True


def _bind_tcp(title: str, address: TcpAddress) -> list[socket.socket]:
    bound: list[socket.socket] = []
    failure: OSError | None = None
    for family, host in _resolve(title, address):
        # A name with several addresses and port 0: all of them get the port of the first.
        port = bound[0].getsockname()[1] if bound else address.port
        try:
            bound.append(_listen_tcp(family, host, port))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                _close(bound)
                raise _tcp_failure(title, address, error) from None
            failure = error  # this machine lacks one of the name's addresses; another will do
    if not bound and failure is not None:
        raise _tcp_failure(title, address, failure)
    return bound


def _resolve(title: str, address: TcpAddress) -> list[tuple[socket.AddressFamily, str]]:
    if not address.host:
        return [_every_interface()]
    try:
        found = socket.getaddrinfo(
            address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError as error:
        raise StartFailure(
            f"{title}: cannot resolve {address.host}: {error.strerror}",
            "listen at an address of this machine, or at :PORT for all of them",
        ) from None
    return list(dict.fromkeys((family, str(where[0])) for family, _, _, _, where in found))


def _every_interface() -> tuple[socket.AddressFamily, str]:
    """One socket for IPv6 and IPv4 where the kernel has both."""
    if socket.has_dualstack_ipv6():
        return socket.AF_INET6, "::"
    return socket.AF_INET, "0.0.0.0"  # noqa: S104 - no host was given: every interface is meant


def _widen(first: socket.socket, count: int) -> Group:
    """Make a socket for each of `count` workers of one that listens. Raises OSError."""
    if first.family == socket.AF_UNIX or count == 1:
        return (first,) * count
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    host, port = first.getsockname()[:2]
    group = [first]
    try:
        for _ in range(count - 1):
            group.append(_listen_tcp(first.family, host, port, beside=True))
    except OSError:
        _close(group)
        raise
    return tuple(group)


def _listen_tcp(family: int, host: str, port: int, *, beside: bool = False) -> socket.socket:
    """Listen where nobody does, or `beside` sockets of our own."""
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if beside:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        # Not a way in beside a live listener (that is SO_REUSEPORT): it lets a restart pass the
        # connections of the last run that are in TIME_WAIT.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(host != "::"))
        bound.setblocking(False)
        bound.bind((host, port))
        bound.listen(BACKLOG)
    except OSError:
        bound.close()
        raise
    return bound


def _who_listens(port: int) -> str:
    if who := occupant_of(port):
        return f"{who} listens there"
    # An instance of ours lets nobody but root see its sockets, so it is known by its command only.
    if ours := next(pqproxy_processes(), None):
        return f"another program listens there, perhaps the pqproxy that is {ours}"
    return "another program listens there"


def _tcp_failure(title: str, address: TcpAddress, error: OSError) -> StartFailure:
    if error.errno == errno.EADDRINUSE:
        hint = f"{_who_listens(address.port)}; stop it or take another port"
        return StartFailure(f"{title}: {address} is in use", hint)
    if error.errno == errno.EACCES:
        return StartFailure(
            f"{title}: no permission to listen at {address}",
            "ports below 1024 need CAP_NET_BIND_SERVICE; take a higher one",
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return StartFailure(
            f"{title}: {address.host} is no address of this machine",
            "listen at one of its addresses, or at :PORT for all of them",
        )
    return StartFailure(f"{title}: cannot listen at {address}: {error.strerror}")


def _bind_unix(title: str, address: UnixAddress, mode: int) -> socket.socket:
    path = Path(address.path)
    _clear_stale(title, path)
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The umask, and not a chmod afterwards: there is no moment in which others may connect.
    before = os.umask(0o777 & ~mode)
    try:
        bound.setblocking(False)
        bound.bind(address.path)
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        raise _unix_failure(title, address, error) from None
    finally:
        os.umask(before)
    return bound


def _clear_stale(title: str, path: Path) -> None:
    """Remove a socket file that a dead process left; refuse one that somebody answers."""
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _unix_failure(title, UnixAddress(str(path)), error) from None
    if not stat.S_ISSOCK(kind):
        raise StartFailure(
            f"{title}: {path} exists and is not a socket", "remove it or take another path"
        )
    if _answers(path):
        raise StartFailure(
            f"{title}: unix:{path} is in use",
            "another program listens there; stop it or take another path",
        )
    with contextlib.suppress(OSError):  # bind will say what is wrong
        path.unlink()


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a listener with a full queue says EAGAIN: it lives
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return False
        except OSError:
            return True
    return True


def _unix_failure(title: str, address: UnixAddress, error: OSError) -> StartFailure:
    hint = None
    if error.errno == errno.ENOENT:
        hint = f"create the directory {Path(address.path).parent}"
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        parent = Path(address.path).parent
        hint = f"this user must be able to write to {parent}; Landlock wants a restart before a"
        hint += " reload may put a socket into another directory than before"
    elif error.errno == errno.EADDRINUSE:
        return StartFailure(f"{title}: {address} is in use", "another program listens there")
    return StartFailure(f"{title}: cannot listen at {address}: {error.strerror}", hint)


def _close(sockets: Iterable[socket.socket]) -> None:
    for bound in sockets:
        bound.close()
