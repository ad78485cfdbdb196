"""One nested, edge-triggered epoll per worker for every connected socket.

A descriptor is registered once and stays: pausing and resuming are flags, not system calls, and a
paused descriptor still reports a peer that has gone (which a reader removed from the event loop
never does). The event loop, whichever it is, watches only the nested epoll.

One turn: readiness of data first, then what asked for another turn, then handshakes, of which a
turn does at most two milliseconds, so that a storm of them does not stall streams.
"""

import asyncio
import logging
import select
import time
from collections import deque
from typing import Protocol

IN = select.EPOLLIN
OUT = select.EPOLLOUT
ERROR = select.EPOLLERR
HANGUP = select.EPOLLRDHUP | select.EPOLLHUP
READABLE = IN | HANGUP
_EDGE = IN | select.EPOLLRDHUP | select.EPOLLET
_LEVEL = IN

_MAX_EVENTS = 256
HANDSHAKE_BUDGET = 0.002  # seconds a turn

_log = logging.getLogger(__name__)


class Pollable(Protocol):
    """What the poller calls. None of it may raise; what does is told so by `crashed`."""

    def on_events(self, mask: int) -> None:
        """The descriptor became ready."""

    def on_turn(self) -> None:
        """The turn asked for by `again` or `handshake`."""

    def crashed(self) -> None:
        """A call above raised: end the connection."""


class _Nobody:
    """The handler of a descriptor that is not watched any more."""

    __slots__ = ()

    def on_events(self, mask: int) -> None:
        """A stale event."""

    def on_turn(self) -> None:
        """Never asked for."""

    def crashed(self) -> None:
        """Never."""


_NOBODY = _Nobody()


class Poller:
    """Watches the connected sockets of one worker."""

    __slots__ = (
        "_again",
        "_epoll",
        "_handlers",
        "_handshakes",
        "_in_turn",
        "_scheduled",
        "loop",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._epoll = select.epoll()
        self._handlers: dict[int, Pollable] = {}
        self._again: list[Pollable] = []
        self._handshakes: deque[Pollable] = deque()
        self._in_turn = self._scheduled = False
        loop.add_reader(self._epoll.fileno(), self._turn)

    def close(self) -> None:
        """Stop watching; the descriptors belong to their owners."""
        self.loop.remove_reader(self._epoll.fileno())
        self._handlers.clear()
        self._epoll.close()

    def add(self, fd: int, handler: Pollable) -> None:
        """Watch a connected socket for input, FIN and RST. What is already there is reported."""
        self._handlers[fd] = handler
        self._epoll.register(fd, _EDGE)

    def add_listener(self, fd: int, handler: Pollable) -> None:
        """Watch a listening socket: reported every turn for as long as its queue is not empty."""
        self._handlers[fd] = handler
        self._epoll.register(fd, _LEVEL)

    def watch_output(self, fd: int) -> None:
        """Report writability too, from now on.

        Only once a send was partial: a unix socket would otherwise wake us for every read of its
        peer. It stays on, because an edge costs nothing until the next partial send.
        """
        self._epoll.modify(fd, _EDGE | OUT)

    def remove(self, fd: int) -> None:
        """Stop watching. To be called before the descriptor is closed."""
        del self._handlers[fd]
        self._epoll.unregister(fd)

    def again(self, handler: Pollable) -> None:
        """Call `on_turn` after the events of this turn, or soon when there is no turn."""
        self._again.append(handler)
        if not self._in_turn:
            self._schedule()

    def handshake(self, handler: Pollable) -> None:
        """Call `on_turn` when data is done and the time for handshakes allows."""
        self._handshakes.append(handler)
        if not self._in_turn:
            self._schedule()

    def _schedule(self) -> None:
        if not self._scheduled:
            self._scheduled = True
            self.loop.call_soon(self._scheduled_turn)

    def _scheduled_turn(self) -> None:
        self._scheduled = False
        self._turn()

    def _turn(self) -> None:
        # An event may be stale: an earlier handler of the same turn may have closed its descriptor
        # and a new one may have got its number. Handlers therefore believe only what the socket
        # itself says, and treat an event as a hint.
        self._in_turn = True
        handler_of = self._handlers.get
        for fd, mask in self._epoll.poll(0, _MAX_EVENTS):
            handler = handler_of(fd, _NOBODY)
            try:
                handler.on_events(mask)
            except Exception:
                self._crashed(handler)
        if self._again:
            waiting, self._again = self._again, []
            for handler in waiting:
                self._call(handler)
        if self._handshakes:
            self._shake_hands()
        self._in_turn = False
        if self._again or self._handshakes:
            self._schedule()

    def _shake_hands(self) -> None:
        end = time.perf_counter() + HANDSHAKE_BUDGET
        while self._handshakes and time.perf_counter() < end:
            self._call(self._handshakes.popleft())

    def _call(self, handler: Pollable) -> None:
        try:
            handler.on_turn()
        except Exception:
            self._crashed(handler)

    def _crashed(self, handler: Pollable) -> None:
        _log.exception("a connection failed inside the proxy")
        try:
            handler.crashed()
        except Exception:
            _log.exception("ending that connection failed too")
