"""One stream of a tunnel, as the framing sees it: its number, its windows, what is open of it."""

from __future__ import annotations

from typing import Any

from pqproxy.tunnel.windows import ReceiveWindow


class Stream:
    """Counts and flags; `Tunnel` keeps them.

    Attributes:
        id: odd, and never used again.
        send_window: bytes that may be sent now.
        granted: bytes that the peer has ever let us send.
        largest_grant: of those with one WINDOW: the window is no smaller.
        receive: what the peer may send.
        owner: for whoever uses the tunnel; nobody here looks at it.
        ended_by_us: no more data will be sent.
        ended_by_peer: no more data will come.
        gone: both have ended, or one side reset it.
    """

    __slots__ = (
        "ended_by_peer",
        "ended_by_us",
        "gone",
        "granted",
        "id",
        "largest_grant",
        "owner",
        "receive",
        "send_window",
    )

    def __init__(self, number: int, send_window: int, receive: ReceiveWindow) -> None:
        self.id, self.receive = number, receive
        self.send_window = self.granted = send_window
        self.largest_grant = 0
        self.owner: Any = None
        self.ended_by_us = self.ended_by_peer = self.gone = False

    def allow(self, grant: int) -> None:
        """The peer takes so many bytes more."""
        self.send_window += grant
        self.granted += grant
        self.largest_grant = max(self.largest_grant, grant)

    @property
    def sent(self) -> int:
        """Bytes of data that were sent."""
        return self.granted - self.send_window
