"""One epoll per worker: edge-triggered for every connected socket, and the event loop's selector.

A descriptor is registered once and stays: pausing and resuming are flags, not system calls, and a
paused descriptor still reports a peer that has gone (which a reader removed from the event loop
never does). Data is served inside `select`, before the event loop hears of anything: a wake-up
costs one system call, and nothing of asyncio's (ADR 0013).

One turn: readiness of data first, then what asked for another turn, then what gathered meanwhile
leaves through tunnels, then handshakes, of which a turn does at most two milliseconds, so that a
storm of them does not stall streams.
"""

import asyncio
import logging
import math
import os
import select
import selectors
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


class Flushable(Pollable, Protocol):
    """Gathers small pieces, which leave together."""

    def on_flush(self) -> None:
        """The turn asked for by `flush`."""


class Poller(selectors.EpollSelector):
    """Watches the connected sockets of one worker, and what its event loop watches.

    Attributes:
        loop: the event loop whose selector this is.
        hand_over: the loop has something to do, so `select` comes back after this turn.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self.loop = loop
        self.hand_over = False
        # The same epoll by a descriptor of our own: the library keeps its object to itself.
        self._epoll = select.epoll.fromfd(os.dup(self.fileno()))
        self._handlers: dict[int, Pollable] = {}
        self._due = False  # there is something in one of these
        self._again: list[Pollable] = []
        self._flushes: list[Flushable] = []
        self._handshakes: deque[Pollable] = deque()

    def close(self) -> None:
        """Stop watching; the descriptors belong to their owners. Called by the loop's `close`."""
        self._handlers.clear()
        self._epoll.close()
        super().close()

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

    def forget(self, fd: int) -> None:
        """Stop watching a descriptor that is closed next: then the kernel forgets it by itself."""
        del self._handlers[fd]

    def again(self, handler: Pollable) -> None:
        """Call `on_turn` after the events of this turn, or of the next when there is none."""
        self._again.append(handler)
        self._due = True

    def flush(self, handler: Flushable) -> None:
        """Call `on_flush` at the end of this turn, or of the next: no piece waits for a timer."""
        self._flushes.append(handler)
        self._due = True

    def handshake(self, handler: Pollable) -> None:
        """Call `on_turn` when data is done and the time for handshakes allows."""
        self._handshakes.append(handler)
        self._due = True

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Serve data until the loop has something to do, or `timeout` seconds are over.

        Returns what of the loop's own descriptors is ready, as every selector does.
        """
        self.hand_over = False
        wait, end = -1.0, math.inf
        if timeout is not None:
            wait, end = _rounded_up(timeout), time.monotonic() + timeout
        ready: list[tuple[selectors.SelectorKey, int]] = []
        poll, handler_of = self._epoll.poll, self._handlers.get
        # One loop, and no function for a turn: with a single connection a request is four turns.
        while True:
            # An event may be stale: an earlier handler of the same turn may have closed its
            # descriptor and a new one may have got its number. Handlers therefore believe only what
            # the socket itself says, and treat an event as a hint.
            for fd, mask in poll(0.0 if self._due else wait, _MAX_EVENTS):
                handler = handler_of(fd)
                if handler is None:
                    self._report(fd, mask, ready)
                    continue
                try:
                    handler.on_events(mask)
                except Exception:
                    self._crashed(handler)
            if self._due:
                self._do_what_is_due()
            if ready or self.hand_over:
                return ready
            if timeout is not None:
                left = end - time.monotonic()
                if left <= 0:
                    return ready
                wait = _rounded_up(left)

    def _do_what_is_due(self) -> None:
        """The turns that were asked for, after the events."""
        self._due = False
        if self._again:
            waiting, self._again = self._again, []
            for handler in waiting:
                self._call(handler)
        if self._flushes:
            gathered, self._flushes = self._flushes, []
            for link in gathered:
                self._flush(link)
        if self._handshakes:
            self._shake_hands()
            self._due = self._due or bool(self._handshakes)

    def _report(self, fd: int, mask: int, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        """An event of the loop's own, or a stale one."""
        key = self.get_map().get(fd)
        if key is not None:
            events = selectors.EVENT_WRITE if mask & ~IN else 0
            events |= selectors.EVENT_READ if mask & ~OUT else 0
            ready.append((key, events & key.events))

    def _shake_hands(self) -> None:
        end = time.perf_counter() + HANDSHAKE_BUDGET
        while self._handshakes and time.perf_counter() < end:
            self._call(self._handshakes.popleft())

    def _call(self, handler: Pollable) -> None:
        try:
            handler.on_turn()
        except Exception:
            self._crashed(handler)

    def _flush(self, handler: Flushable) -> None:
        try:
            handler.on_flush()
        except Exception:
            self._crashed(handler)

    def _crashed(self, handler: Pollable) -> None:
        _log.exception("a connection failed inside the proxy")
        try:
            handler.crashed()
        except Exception:
            _log.exception("ending that connection failed too")


def _rounded_up(seconds: float) -> float:
    """To what epoll can tell apart, or the loop would spin."""
    return math.ceil(max(0.0, seconds) * 1e3) * 1e-3
