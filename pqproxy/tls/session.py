"""What a resumption carries over from the handshake that authenticated (RFC 9846 §2.2).

A resumed handshake signs nothing: who the peer is, when it proved that and until when the proof
counts are copied from one session to the next, and never renewed. How an identity is written
down is the owner's business; time comes from outside, as unix seconds.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import field

from pqproxy.tls.codepoints import CipherSuite
from pqproxy.tls.secrets import Secret
from pqproxy.tls.values import dataclass

AUTHENTICATION_LIFETIME = 24 * 3600  # seconds that a proof may be inherited, at most

Clock = Callable[[], float]  # unix seconds


@dataclass(frozen=True, slots=True)
class Authentication:
    """Who the peer proved to be, and when."""

    identity: bytes  # as the owner wrote it down with its verdict; empty where nobody proved it
    chain_digest: bytes  # SHA-256 over the certificates shown; empty where there were none
    time: int  # unix seconds of its CertificateVerify
    end: int  # unix seconds from which on it counts no more
    key_algorithm: str = ""  # of the key that made its CertificateVerify; empty where nobody did

    @classmethod
    def made(
        cls,
        chain: tuple[bytes, ...],
        identity: bytes,
        now: float,
        not_after: float = math.inf,
        key_algorithm: str = "",
    ) -> Authentication:
        """One that was just made; `not_after` is the end of the peer's certificate."""
        return cls(
            identity=identity,
            chain_digest=hashlib.sha256(b"".join(chain)).digest() if chain else b"",
            time=int(now),
            end=int(min(now + AUTHENTICATION_LIFETIME, not_after)),
            key_algorithm=key_algorithm,
        )


@dataclass(frozen=True, slots=True)
class Session:
    """A pre-shared key and what it stands for, on either side."""

    cipher_suite: CipherSuite  # of the connection it comes from: its hash is the key's
    psk: Secret
    authentication: Authentication  # of the peer
    end: int  # unix seconds from which on it is not used


@dataclass(frozen=True, slots=True)
class SessionTicket:
    """What a client needs to resume a session: good for one connection (§C.4)."""

    session: Session
    ticket: bytes = field(repr=False)
    ticket_age_add: int = field(repr=False)
    received_at: float  # unix seconds

    def obfuscated_age(self, now: float) -> int:
        """Its age in milliseconds as it goes on the wire (§4.3.11.1)."""
        age = max(int((now - self.received_at) * 1000), 0)
        return (age + self.ticket_age_add) % 2**32
