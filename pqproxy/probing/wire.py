"""One TCP or unix connection to somebody whom nobody vouches for.

Whoever uses it holds a deadline (`asyncio.timeout`); here is a bound on what is read, and what
each way not to arrive is called.
"""

import asyncio
import contextlib
import errno
import os
import socket
import threading
import time
from types import TracebackType
from typing import Any

from pqproxy.config.values import Address, UnixAddress

READ_SIZE = 16_384
# A server's flight with ML-DSA certificates has about 20 KB; names of authorities add to that.
MOST_READ = 512 * 1024

_HINTS = {
    errno.ECONNREFUSED: "nothing listens there: check the port, and that the server is up",
    errno.ECONNRESET: "it closes at once: perhaps it lets in some addresses only",
    errno.ENETUNREACH: "this machine has no way to that network",
    errno.EHOSTUNREACH: "the host is down, or a firewall says so",
    errno.ENOENT: "there is no such socket: check the path, and that the server is up",
    errno.EACCES: "this user may not open that socket",
}


class Unreachable(Exception):
    """Nobody was reached; the message is for the user, and so is `hint`."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class TooMuch(Exception):
    """The peer sent more than any handshake takes."""


class Wire:
    """A connected socket.

    Attributes:
        peer: the address that was reached, for people.
        connect_seconds: how long the connect took, without the look-up of the name.
        received: bytes read so far.
    """

    def __init__(self, sock: socket.socket, peer: str, connect_seconds: float) -> None:
        self._sock, self._loop = sock, asyncio.get_running_loop()
        self.peer, self.connect_seconds = peer, connect_seconds
        self.received = 0

    async def send(self, data: bytes) -> None:
        """Send everything. Raises OSError."""
        await self._loop.sock_sendall(self._sock, data)

    async def receive(self) -> bytes:
        """Return what came, nothing at the end. Raises OSError, TooMuch."""
        data = await self._loop.sock_recv(self._sock, READ_SIZE)
        self.received += len(data)
        if self.received > MOST_READ:
            raise TooMuch(f"over {MOST_READ} bytes came")
        return data

    def end(self) -> None:
        """Say that nothing more comes from here; the peer's side goes on. Raises OSError."""
        self._sock.shutdown(socket.SHUT_WR)

    async def __aenter__(self) -> "Wire":
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await _close(self._sock)


async def connect(address: Address, patience: float) -> Wire:
    """Connect in so many seconds, to the first address of a name that answers.

    Raises Unreachable.
    """
    try:
        async with asyncio.timeout(patience):
            return await _connect(address)
    except TimeoutError:
        raise _no_answer(address) from None


async def _connect(address: Address) -> Wire:
    failure = Unreachable(f"{address}: the name has no address", "check the name")
    endpoints = await _resolve(address)
    for family, endpoint in endpoints:
        begun = time.perf_counter()
        try:
            # An address that swallows everything must not use up the time of the others.
            async with asyncio.timeout(None if len(endpoints) == 1 else 2):
                sock = await _open(family, endpoint)
        except TimeoutError:
            failure = _no_answer(address)
        except OSError as error:
            hint = _HINTS.get(error.errno or 0, "check the address")
            failure = Unreachable(f"{address}: {words(error)}", hint)
        else:
            return Wire(sock, _shown(family, endpoint), time.perf_counter() - begun)
    raise failure


def words(error: OSError) -> str:
    """What went wrong, in the words of the system; the event loop has others."""
    if isinstance(error, socket.gaierror) or error.errno is None:
        return (error.strerror or str(error)).lower()
    return os.strerror(error.errno).lower()


def _no_answer(address: Address) -> Unreachable:
    hint = "a firewall may be dropping what we send, or the host is down"
    return Unreachable(f"{address}: no answer", hint)


async def _open(family: int, endpoint: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.get_running_loop().sock_connect(sock, endpoint)
    except BaseException:
        await _close(sock)
        raise
    return sock


async def _close(sock: socket.socket) -> None:
    # A loop lets go of a cancelled operation's descriptor a turn later; only then may the number
    # belong to another connection.
    try:
        await asyncio.sleep(0)
    finally:
        sock.close()


async def _resolve(address: Address) -> list[tuple[int, Any]]:
    if isinstance(address, UnixAddress):
        return [(socket.AF_UNIX, address.path)]
    try:
        found = await _look_up(address.host, address.port)
    except OSError as error:
        hint = "check the name, and that this machine can resolve names"
        raise Unreachable(f"{address}: {words(error)}", hint) from None
    return list(dict.fromkeys((family, endpoint) for family, _, _, _, endpoint in found))


async def _look_up(host: str, port: int) -> list[Any]:
    """Resolve a name on a thread that nobody waits for: resolvers may take a minute."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[list[Any]] = loop.create_future()

    def deliver(outcome: list[Any] | OSError) -> None:
        if not answer.done():
            if isinstance(outcome, OSError):
                answer.set_exception(outcome)
            else:
                answer.set_result(outcome)

    def look_up() -> None:
        outcome: list[Any] | OSError
        try:
            outcome = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            outcome = error
        except UnicodeError:  # a label that no name has
            outcome = socket.gaierror(socket.EAI_NONAME, "not a name")
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(deliver, outcome)

    threading.Thread(target=look_up, daemon=True).start()
    return await answer


def _shown(family: int, endpoint: Any) -> str:
    if family == socket.AF_UNIX:
        return f"unix:{endpoint}"
    host, port = endpoint[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
