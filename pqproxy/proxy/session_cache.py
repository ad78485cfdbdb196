"""The sessions that an egress can resume: in memory, bounded, each used once (RFC 9846 §C.4).

A session stands for a server that proved who it is under certain settings, so all of them are the
key. The cache belongs to its listener, and a reload empties it: servers prove themselves anew.
"""

from collections import deque
from dataclasses import dataclass

from pqproxy.config.values import Address
from pqproxy.tls import SessionTicket

MAX_SESSIONS = 8  # a key: what is given beyond that pushes out the oldest
MAX_KEYS = 64


@dataclass(frozen=True, slots=True)
class SessionKey:
    """What must be the same for a session to be resumed."""

    endpoint: Address
    server_name: str | None
    alpn_protocols: tuple[bytes, ...]
    own_certificates: tuple[bytes, ...]  # leaves, DER
    binding: bytes  # digest of what the server is judged by


class SessionCache:
    """Tickets by what they are good for."""

    def __init__(self) -> None:
        self._tickets: dict[SessionKey, deque[SessionTicket]] = {}

    def keep(self, key: SessionKey, ticket: SessionTicket) -> None:
        """Keep a ticket for a connection to come."""
        kept = self._tickets.pop(key, None)
        if kept is None:
            kept = deque(maxlen=MAX_SESSIONS)
        kept.append(ticket)
        self._tickets[key] = kept  # at the end: the key in front is the one unused for longest
        if len(self._tickets) > MAX_KEYS:
            self.forget(next(iter(self._tickets)))

    def take(self, key: SessionKey, now: float) -> SessionTicket | None:
        """The newest ticket that is still good at `now` (unix seconds); it is not given twice."""
        kept = self._tickets.get(key)
        while kept:
            ticket = kept.pop()
            # One from the future: the clock was set back, and nobody knows how old it is.
            if ticket.received_at <= now < ticket.session.end:
                return ticket
        self.forget(key)
        return None

    def clear(self) -> None:
        """Let go of all."""
        self._tickets.clear()

    def forget(self, key: SessionKey) -> None:
        """Let go of all tickets of a key."""
        self._tickets.pop(key, None)
