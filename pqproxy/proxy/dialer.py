"""Connects to an address: names are resolved at each dial, every address is tried in turn.

Who wants to know all that a name stands for resolves it, and dials each endpoint by itself. Who is
on this machine answers at once, and costs no task (`Attempt`).
"""

import asyncio
import errno
import os
import socket
from dataclasses import dataclass

from pqproxy.config.values import Address, TcpAddress, UnixAddress
from pqproxy.proxy.poller import Poller
from pqproxy.proxy.socket_options import Socket, socket_to_connect
from pqproxy.telemetry.labels import ConnectResult

_UNIX_RETRY = 0.02
_IN_PROGRESS = (errno.EINPROGRESS, errno.EALREADY, errno.EINTR)


class DialFailed(Exception):
    """Nobody could be reached; the message is for the operator."""

    def __init__(self, result: ConnectResult, detail: str) -> None:
        super().__init__(detail)
        self.result = result


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of the addresses that `name` stands for: a name has many, any other just itself."""

    name: Address
    family: socket.AddressFamily
    address: str | tuple[str, int] | tuple[str, int, int, int]

    def __str__(self) -> str:
        if self.is_lasting:
            return str(self.name)
        return f"{self.name} ({self.address[0]})"

    @property
    def is_lasting(self) -> bool:
        """Whether it is what was asked for: nobody resolved anything."""
        return isinstance(self.name, UnixAddress) or self.name.host == self.address[0]


async def dial(address: Address, patience: float | None, poller: Poller) -> Socket:
    """Connect, and return a configured non-blocking socket. Raises DialFailed.

    `patience` is in seconds, for names and all addresses together.
    """
    loop = poller.loop
    deadline = None if patience is None else loop.time() + patience
    endpoints = await resolve(address, patience, poller)
    failure: DialFailed | None = None
    for position, endpoint in enumerate(endpoints):
        # An address that swallows everything must not use up the time of the others.
        left = None if deadline is None else max(deadline - loop.time(), 0)
        share = None if left is None else left / (len(endpoints) - position)
        try:
            return await _reach(Attempt(endpoint, str(address)), share, poller)
        except DialFailed as error:
            failure = error
    assert failure is not None  # noqa: S101 - a name without an address is not resolved
    raise failure


async def dial_endpoint(endpoint: Endpoint, patience: float | None, poller: Poller) -> Socket:
    """Connect to this one and no other, within `patience` seconds. As `dial` otherwise."""
    return await _reach(Attempt(endpoint, str(endpoint)), patience, poller)


async def _reach(attempt: "Attempt", patience: float | None, poller: Poller) -> Socket:
    if attempt.waits:
        await attempt.finish(patience, poller)
    return attempt.sock


def literal(address: Address) -> Endpoint | None:
    """What an address stands for that is no name."""
    if isinstance(address, UnixAddress):
        return Endpoint(address, socket.AF_UNIX, address.path)
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, address.host)
        except OSError:
            continue
        return Endpoint(address, family, (address.host, address.port))
    return None


async def resolve(address: Address, patience: float | None, poller: Poller) -> list[Endpoint]:
    """Everything that an address stands for, at least one endpoint. Raises DialFailed."""
    itself = literal(address)  # no thread for that
    if itself is not None:
        return [itself]
    assert isinstance(address, TcpAddress)  # noqa: S101 - any other is literal
    try:
        async with asyncio.timeout(patience):
            found = await poller.loop.getaddrinfo(
                address.host, address.port, type=socket.SOCK_STREAM
            )
    except TimeoutError:
        raise DialFailed(ConnectResult.TIMEOUT, f"{address}: the name takes too long") from None
    except OSError as error:
        raise DialFailed(ConnectResult.UNRESOLVED, f"{address}: {error.strerror}") from None
    endpoints = dict.fromkeys(
        Endpoint(address, family, sockaddr)  # type: ignore[arg-type] # an Internet family has host and port
        for family, _, _, _, sockaddr in found
        if family in (socket.AF_INET, socket.AF_INET6)
    )
    if not endpoints:
        raise DialFailed(ConnectResult.UNRESOLVED, f"{address}: the name has no address")
    return list(endpoints)


class Attempt:
    """One connect, from the start as far as it goes without waiting. Raises DialFailed.

    Attributes:
        sock: configured and non-blocking; closed once it has failed.
        waits: it is not connected yet: `finish` is to be awaited.
    """

    __slots__ = ("_address", "_label", "_status", "sock", "waits")

    def __init__(self, endpoint: Endpoint, label: str) -> None:
        self._address, self._label = endpoint.address, label
        try:
            self.sock = socket_to_connect(endpoint.family)
        except OSError as error:
            raise self._failure(error) from None
        status = self.sock.connect_ex(endpoint.address)
        if status in _IN_PROGRESS:
            # Who is on this machine has answered by now, and there is nothing to wait for.
            status = self.sock.connect_ex(endpoint.address)
        self._status = status
        self.waits = status in _IN_PROGRESS or status == errno.EAGAIN
        if status and not self.waits:
            self._look_at(status)

    async def finish(self, patience: float | None, poller: Poller) -> None:
        """Wait until it is connected, `patience` seconds at most. Raises DialFailed."""
        try:
            async with asyncio.timeout(patience):
                status = await self._outcome(poller)
        except TimeoutError as error:
            self.sock.close()
            raise self._failure(error) from None
        except BaseException:
            self.sock.close()
            raise
        self._look_at(status)
        self.waits = False

    def _look_at(self, status: int) -> None:
        """Close what failed. Raises DialFailed."""
        if status:
            self.sock.close()
            raise self._failure(OSError(status, os.strerror(status)))

    def _failure(self, error: OSError) -> DialFailed:
        result, detail = ConnectResult.UNREACHABLE, error.strerror
        if isinstance(error, ConnectionRefusedError):
            result, detail = ConnectResult.REFUSED, "connection refused"
        elif isinstance(error, TimeoutError):
            result, detail = ConnectResult.TIMEOUT, "no answer"
        return DialFailed(result, f"{self._label}: {detail}")

    async def _outcome(self, poller: Poller) -> int:
        """Wait for 0 or an errno."""
        status = self._status
        while status == errno.EAGAIN:  # a unix socket's full queue: the kernel has no event for it
            await asyncio.sleep(_UNIX_RETRY)
            status = self.sock.connect_ex(self._address)
        waits = status in _IN_PROGRESS
        return await _Connecting(self.sock, poller).outcome() if waits else status


class _Connecting:
    """Waits for the kernel to say how a connect went.

    Not `loop.sock_connect`: after a cancellation that touches the descriptor once more in a later
    turn, when its number may already belong to another connection.
    """

    def __init__(self, sock: Socket, poller: Poller) -> None:
        self._sock, self._poller = sock, poller
        self._ready: asyncio.Future[None] = poller.loop.create_future()

    async def outcome(self) -> int:
        """Wait; 0 or an errno."""
        descriptor = self._sock.fileno()
        self._poller.add(descriptor, self)
        try:
            self._poller.watch_output(descriptor)
            await self._ready
        finally:
            self._poller.remove(descriptor)
        return self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def on_events(self, mask: int) -> None:
        """Connected, or not."""
        if not self._ready.done():
            self._ready.set_result(None)

    def on_turn(self) -> None:
        """Never asked for."""

    def crashed(self) -> None:
        """Let the one who waits find out."""
        if not self._ready.done():
            self._ready.set_result(None)
