"""Sockets of peers that we refused, kept until they have read why.

Who closes while input waits, or while more of it comes, sends RST, and a peer that is still sending
meets that before it reads our alert. So a refused peer gets its alert and a FIN, and what it still
sends is read and forgotten until it ends too. For everybody else that connection is over: its place
is free and no drain waits for it. A flood of bad peers holds a bounded number of sockets, each for
a bounded time and number of bytes, and reading for them shares the time a turn has for handshakes.
"""

import socket

from pqproxy.proxy.poller import Poller
from pqproxy.proxy.socket_options import Socket

SOCKETS = 256  # a worker; who is refused beyond it is let go at once
SECONDS = 1.0
BYTES = 4 << 20  # a long chat with its images may be on its way
_READ = 1 << 16


class Lingerers:
    """The lingering sockets of one worker."""

    __slots__ = ("_lingering", "poller", "scratch")

    def __init__(self, poller: Poller) -> None:
        self.poller = poller
        self.scratch = bytearray(_READ)  # nobody looks at what lands here
        self._lingering: set[_Lingerer] = set()

    def __len__(self) -> int:
        return len(self._lingering)

    def take(self, sock: Socket) -> bool:
        """Own a socket that nobody watches any more. False: no room, the caller closes it."""
        if len(self._lingering) >= SOCKETS:
            return False
        try:
            sock.shutdown(socket.SHUT_WR)
        except OSError:  # the peer is gone already
            return False
        self._lingering.add(_Lingerer(sock, self))
        return True

    def forget(self, lingerer: "_Lingerer") -> None:
        """That one is closed."""
        self._lingering.discard(lingerer)

    def close(self) -> None:
        """Close all, whatever their peers have read."""
        for lingerer in list(self._lingering):
            lingerer.close()


class _Lingerer:
    """One socket in the poller that says nothing more and listens to nothing."""

    __slots__ = ("_closed", "_left", "_lingerers", "_queued", "_sock", "_timer")

    def __init__(self, sock: Socket, lingerers: Lingerers) -> None:
        self._sock, self._lingerers = sock, lingerers
        self._left = BYTES
        self._closed = self._queued = False
        self._timer = lingerers.poller.loop.call_later(SECONDS, self.close)
        lingerers.poller.add(sock.fileno(), self)

    def close(self) -> None:
        """The peer has ended, or has had its chance."""
        if self._closed:
            return
        self._closed = True
        self._timer.cancel()
        self._lingerers.poller.remove(self._sock.fileno())
        self._lingerers.forget(self)
        self._sock.close()

    def on_events(self, mask: int) -> None:
        """Input, or its end: looked at when data and handshakes of others are served."""
        if not self._queued:
            self._queued = True
            self._lingerers.poller.handshake(self)

    def on_turn(self) -> None:
        """Discard one read."""
        self._queued = False
        if self._closed:
            return
        try:
            received = self._sock.recv_into(self._lingerers.scratch)
        except BlockingIOError:
            return
        except OSError:
            received = 0
        self._left -= received
        if not received or self._left < 0:
            self.close()
        else:
            self.on_events(0)  # a FIN that came with what was read is not reported again

    def crashed(self) -> None:
        """Something in our own code failed."""
        self.close()
