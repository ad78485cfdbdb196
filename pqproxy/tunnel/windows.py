"""How much a peer may send before it must wait: a window a stream, one budget for all of them.

What was granted may have to be kept, so all grants of a worker together have one bound. A new
stream begins with little, as TCP does, and a window that proves too small for the way that its
bytes have to go doubles, from a share of the budget that no new stream needs.
"""

from __future__ import annotations

INITIAL_WINDOW = 16 * 1024
MAX_STREAM_WINDOW = 16 * 1024 * 1024
BUDGET = 256 * 1024 * 1024
# Of the budget, for growth. The rest is ten thousand first windows: those who are in a hurry keep
# nobody out.
_FOR_GROWTH = 3 / 8
# A window that is used up within so many round trips kept its sender waiting. So did one of which
# less than this is left, whatever the clock says: between two busy processes a round trip takes
# longer than when it was measured. That is reason enough up to what keeps two machines busy: with
# half a megabyte a transfer took a quarter more CPU, in several times as many system calls.
_ROUND_TRIPS = 2.0
_USED_UP = 16 * 1024
_SWIFT_WINDOW = 8 * 1024 * 1024
# And only while most of what there is for growth is left: of a hundred clients that read fast until
# they stop, each would else have megabytes kept.
_PLENTY = 5 / 6
# A window never shrinks below this: who reads slowly needs no more.
_SLOW_WINDOW = 512 * 1024
# Of a window, one part of so many is granted back at a time.
_PARTS = 2


class Budget:
    """What all streams of a worker may have been granted together, in bytes."""

    __slots__ = ("_for_growth", "_plenty", "left")

    def __init__(self, size: int = BUDGET) -> None:
        self.left = size
        self._for_growth = int(size * _FOR_GROWTH)
        self._plenty = self._for_growth * _PLENTY

    def take(self, size: int) -> bool:
        """Take this much, or nothing: False."""
        if size > self.left:
            return False
        self.left -= size
        return True

    def take_to_grow(self, size: int) -> bool:
        """The same for a window that becomes larger."""
        if size > self._for_growth or not self.take(size):
            return False
        self._for_growth -= size
        return True

    @property
    def has_plenty(self) -> bool:
        """Whether few windows have grown so far."""
        return self._for_growth >= self._plenty

    def give_back(self, size: int, grown: int) -> None:
        """The stream that had it is gone; so much of it was taken to grow."""
        self.left += size
        self._for_growth += grown


class ReceiveWindow:
    """What one stream's peer may send.

    Attributes:
        left: bytes that the peer may send now; below zero: it is to send nothing any more.
        size: of the whole window: what it may send, what is on its way or waits here.
        consumed: bytes that have left for good since the last grant.
        due: so much consumed is worth a grant.
        waited: bytes had to wait here since the last grant: a larger window would not help whoever
            takes them, and cost memory.
    """

    __slots__ = ("_budget", "_granted_at", "_grown", "consumed", "due", "left", "size", "waited")

    def __init__(self, budget: Budget, size: int, now: float) -> None:
        self._budget, self._granted_at = budget, now
        self.size = self.left = size
        self.consumed = self._grown = 0
        self.due = size // _PARTS
        self.waited = False

    def shut(self) -> None:
        """The peer has ended: nothing more may come."""
        self.left = -1

    def grant(self, round_trip: float | None, now: float) -> int:
        """Grant what was consumed, and more if the window is too small; returns how much.

        Args:
            round_trip: the shortest that the tunnel had, in seconds; None: not known.
            now: in seconds.
        """
        granted, self.consumed = self.consumed, 0
        if self.waited:
            granted -= self._shrink(granted)
        elif self._is_too_small(round_trip, now):
            growth = min(self.size, MAX_STREAM_WINDOW - self.size)
            if growth > 0 and self._budget.take_to_grow(growth):
                self.size += growth
                self._grown += growth
                self.due = self.size // _PARTS
                granted += growth
        self._granted_at, self.waited = now, False
        self.left += granted
        return granted

    def _shrink(self, most: int) -> int:
        """Keep back what a slow reader does not need; returns how much, at most half of `most`.

        The rest is granted: somebody may wait for it.
        """
        excess = min(most // 2, self.size - max(self.size // 2, _SLOW_WINDOW), self._grown)
        if excess <= 0:
            return 0
        self.size -= excess
        self._grown -= excess
        self.due = self.size // _PARTS
        self._budget.give_back(excess, excess)
        return excess

    def _is_too_small(self, round_trip: float | None, now: float) -> bool:
        used_up = self.left < min(_USED_UP, self.due)
        if used_up and self.size < _SWIFT_WINDOW and self._budget.has_plenty:
            return True
        took = now - self._granted_at
        return round_trip is not None and took * _PARTS <= _ROUND_TRIPS * round_trip

    def release(self) -> None:
        """The stream is gone: give everything back. May be called more than once."""
        self._budget.give_back(self.size, self._grown)
        self.size = self.left = self._grown = 0
