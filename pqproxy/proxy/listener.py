"""Accepts connections from listening sockets, within the caps.

Out of descriptors is no reason to spin or to die: accepting pauses for a moment and the kernel's
queue keeps who is waiting.

A socket that several workers accept from wakes all of them for each connection, and the same one
tends to be first. So they take turns, without a word between them: who took a connection stands
aside for a moment before each of the next ones, until the others have had theirs.
"""

import asyncio
import errno
import logging
import resource
import socket
from collections.abc import Callable
from typing import Protocol

from pqproxy.proxy.admission import Place, source_of
from pqproxy.proxy.poller import Poller
from pqproxy.proxy.socket_options import Socket, accepted, configure, waiting

_PER_TURN = 64  # then the data of others is looked at
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_ASIDE = 0.001  # seconds, for each turn that is owed to the others
_MOST_OWED = 15  # with hundreds of workers a connection would wait for longer than it takes
_OUT_OF_RESOURCES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

_log = logging.getLogger(__name__)


class Host(Protocol):
    """Who decides about whoever connects."""

    def admit(self, source: str) -> Place | None:
        """A place for a connection from there, see `source_of`; None: there is none."""

    def welcome(self, sock: Socket, peer: str, place: Place) -> None:
        """Take it from here; `peer` is its address for the log."""

    def turn_away(self, peer: str, source: str) -> None:
        """It was closed, for want of a place."""


class Listener:
    """One listening socket in the poller."""

    def __init__(
        self,
        sock: socket.socket,
        poller: Poller,
        host: Host,
        others: int = 0,  # processes that accept from the same socket
    ) -> None:
        # Accepted TCP sockets inherit these options: six system calls less for each of them. Those
        # who came before do not: whoever binds the socket lets it listen, and we start later.
        configure(sock)
        self._early = waiting(sock)
        self._family = int(sock.family)
        self._sock, self._poller, self._host = sock, poller, host
        self._back_off_for = _FIRST_PAUSE
        self._paused: asyncio.TimerHandle | None = None
        self._closed = False
        self._others, self._owed = min(others, _MOST_OWED), 0  # turns
        poller.add_listener(sock.fileno(), self)

    def redirect(self, host: Host) -> None:
        """From now on somebody else decides about who comes in."""
        self._host = host

    def close(self) -> None:
        """Accept who is in the queue already, then no more."""
        if self._closed:
            return
        self._resume()
        while self._paused is None and self._accept():
            pass
        self.let_go()

    def let_go(self) -> None:
        """Accept no more; who is in the queue is left to others who hold the socket."""
        if self._closed:
            return
        self._closed = True
        if self._paused is not None:
            self._paused.cancel()
        else:
            self._poller.remove(self._sock.fileno())
        self._sock.close()

    def on_events(self, mask: int) -> None:
        """Somebody is in the queue."""
        if self._closed or self._paused is not None:
            return
        if self._owed:
            self._pause(self._owed * _ASIDE, self._take_turn)
            return
        for _ in range(1 if self._others else _PER_TURN):
            if self._closed or self._paused is not None or not self._accept():
                return
            self._owed = self._others

    def on_turn(self) -> None:
        """Never asked for."""

    def crashed(self) -> None:
        """Nothing to undo: the listener goes on."""

    def _accept(self) -> bool:
        """Take one connection. False: there is none."""
        try:
            sock, address = accepted(self._sock, self._family)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno in _OUT_OF_RESOURCES:
                self._back_off(error)
                return False
            return True  # that one gave up while it waited; the next may be fine
        self._back_off_for = _FIRST_PAUSE
        if self._early:
            self._early -= 1
            configure(sock)
        source, peer = _names(address)
        place = self._host.admit(source)
        if place is None:
            sock.close()
            self._host.turn_away(peer, source)
        else:
            self._host.welcome(sock, peer, place)
        return True

    def _back_off(self, error: OSError) -> None:
        if self._back_off_for == _FIRST_PAUSE:
            _log.error(
                "cannot accept at %s: %s; whoever connects waits (descriptors: ulimit -n is %d)",
                shown_address(self._sock.getsockname()),
                error.strerror,
                resource.getrlimit(resource.RLIMIT_NOFILE)[0],
            )
        self._pause(self._back_off_for, self._resume)
        self._back_off_for = min(self._back_off_for * 2, _LONGEST_PAUSE)

    def _take_turn(self) -> None:
        """Accept if nobody else did; then they have had a turn."""
        self._resume()
        self._owed = self._others if self._accept() else self._owed - 1

    def _pause(self, seconds: float, then: Callable[[], None]) -> None:
        self._poller.remove(self._sock.fileno())
        self._paused = self._poller.loop.call_later(seconds, then)

    def _resume(self) -> None:
        if self._paused is not None:
            self._paused.cancel()
            self._paused = None
            self._poller.add_listener(self._sock.fileno(), self)


def _names(address: object) -> tuple[str, str]:
    """(what counts as its source, what the log shows) of a peer's address."""
    if not isinstance(address, tuple):
        return "unix", "unix"
    host = address[0]
    if ":" in host:
        return source_of(host), shown_address(address)
    return host, f"{host}:{address[1]}"


def shown_address(address: object) -> str:
    """As a person writes it; IPv4 that came through an IPv6 socket is IPv4."""
    if not isinstance(address, tuple):
        return f"unix:{address}"
    host = str(address[0]).removeprefix("::ffff:")
    return f"[{host}]:{address[1]}" if ":" in host else f"{host}:{address[1]}"
