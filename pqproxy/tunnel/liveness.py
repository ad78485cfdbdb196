"""Whether the other end of a tunnel is still there, and how far it is.

Any record is a sign of life. Silence is broken by a PING, and when that stays unanswered, too, the
tunnel is dead: its streams must not wait for the hours that TCP would take to find out.
"""

from __future__ import annotations

from pqproxy.tunnel.outbox import Outbox

PING_AFTER = 10.0  # seconds of silence, and between two measurements
DEAD_AFTER = 20.0  # seconds of silence that follow
_LENGTH = 8
# As many at the start, one after another: a single one may meet a machine that is busy.
_FIRST_PINGS = 4


class Liveness:
    """When the peer was heard, and what PING told.

    Attributes:
        round_trip: in seconds, as it was last; None: not measured yet.
        shortest: the least that it ever was. The last one may have stood behind a bulk transfer,
            and a window that is made for that only makes the queue longer.
    """

    __slots__ = ("_heard_at", "_mark", "_number", "_outbox", "_sent_at", "round_trip", "shortest")

    def __init__(self, outbox: Outbox, now: float) -> None:
        self._outbox = outbox
        self._heard_at = self._sent_at = now
        self._number = 0  # of the last PING
        self._mark = 0  # of the one behind our GOAWAY
        self.round_trip: float | None = None
        self.shortest: float | None = None

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard_at = now

    def ping(self, now: float) -> None:
        """Send a PING. One that still waits is replaced: this tells all that it would."""
        self._number += 1
        self._sent_at = now
        self._outbox.ping = self._number.to_bytes(_LENGTH, "big")

    def mark(self, now: float) -> None:
        """Send a PING whose answer says that the peer has read everything that was sent before."""
        self.ping(now)
        self._mark = self._number

    def ponged(self, payload: bytes, now: float) -> bool:
        """Take a PONG. True: it answers the PING of `mark`, or a later one."""
        number = int.from_bytes(payload, "big")
        if number == self._number and self._outbox.ping is None:
            self.round_trip = now - self._sent_at
            self.shortest = min(self.round_trip, self.shortest or self.round_trip)
            if number < _FIRST_PINGS:
                self.ping(now)
        return 0 < self._mark <= number <= self._number

    def look(self, now: float) -> bool:
        """Send a PING where one is due. False: the peer is dead. To be called every few seconds."""
        if now - self._heard_at >= PING_AFTER + DEAD_AFTER:
            return False
        if now - self._sent_at >= PING_AFTER:
            self.ping(now)
        return True
