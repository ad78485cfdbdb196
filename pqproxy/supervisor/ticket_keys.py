"""The keys that session tickets are sealed with: made here, in memory only, for all workers alike.

With the same keys any worker resumes what another one began, and so does the successor of one that
died. A key seals for one period and opens for one more, which is as long as a ticket lives. What
was sealed before this process started is worth nothing.
"""

import os
from collections.abc import Callable

TICKET_KEY_PERIOD = 8 * 3600  # seconds
_KEY_LENGTH = 32  # AES-256


class TicketKeyRing:
    """The key of now, and the one before it."""

    __slots__ = ("_entropy", "_keys")

    def __init__(self, entropy: Callable[[int], bytes] = os.urandom) -> None:
        self._entropy = entropy
        self._keys = [entropy(_KEY_LENGTH)]

    def rotate(self) -> None:
        """Seal with a new key; the one before the last is gone."""
        self._keys = [self._entropy(_KEY_LENGTH), self._keys[0]]

    def encode(self) -> list[str]:
        """For the channel to a worker, and for nothing else: the one that seals comes first."""
        return [key.hex() for key in self._keys]
