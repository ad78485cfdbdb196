"""Tickets as a server seals them: stateless, AES-256-GCM, opened by whoever has the keys (§4.7.1).

    ticket = name of the key (8) || nonce (12) || sealed session || tag (16)

What a ticket is only good under (the policy and trust of its listener) is sealed into it as a
digest, so that under any other it does not even open. Keys come and go from outside, as does the
time: nothing here is kept for a ticket.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence
from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pqproxy.tls.alerts import FatalAlert
from pqproxy.tls.codec import Reader
from pqproxy.tls.codepoints import CipherSuite
from pqproxy.tls.key_exchange import Entropy
from pqproxy.tls.secrets import Secret
from pqproxy.tls.session import Authentication, Clock, Session
from pqproxy.tls.values import dataclass

TICKET_KEY_LENGTH = 32
TICKET_LIFETIME = 8 * 3600  # seconds: no longer than a key that was replaced is kept
MAX_TICKET = 1024  # a peer with so many names is better asked for its certificate again

_NAME_LENGTH, _NONCE_LENGTH = 8, 12
_HEADER_LENGTH = _NAME_LENGTH + _NONCE_LENGTH

_suite_and_length, _times = Struct(">HB").pack, Struct(">QQQ").pack


class TicketKeys:
    """The keys of now: the first seals, every one opens. Empty until somebody brings some."""

    __slots__ = ("_by_name", "_current")

    def __init__(self, keys: Sequence[bytes] = ()) -> None:
        self._by_name: dict[bytes, AESGCM] = {}
        self._current: bytes | None = None
        self.replace(keys)

    def replace(self, keys: Sequence[bytes]) -> None:
        """Take these from now on, the one to seal with first; a key has `TICKET_KEY_LENGTH`."""
        self._by_name = {_name(key): AESGCM(key) for key in keys}
        self._current = next(iter(self._by_name), None)

    def seal(self, content: bytes, binding: bytes, entropy: Entropy) -> bytes | None:
        """A ticket, or None without a key."""
        if self._current is None:
            return None
        header = self._current + entropy(_NONCE_LENGTH)
        key = self._by_name[self._current]
        return header + key.encrypt(header[_NAME_LENGTH:], content, binding)

    def open(self, ticket: bytes, binding: bytes) -> bytes | None:
        """What is in it, or None: not ours, too old, changed, or sealed under something else."""
        key = self._by_name.get(ticket[:_NAME_LENGTH])
        if key is None or len(ticket) > MAX_TICKET:
            return None
        try:
            return key.decrypt(
                ticket[_NAME_LENGTH:_HEADER_LENGTH], ticket[_HEADER_LENGTH:], binding
            )
        except (InvalidTag, ValueError):  # ValueError: too short to have a nonce
            return None


def _name(key: bytes) -> bytes:
    return hmac.digest(key, b"name of a ticket key", "sha256")[:_NAME_LENGTH]


@dataclass(frozen=True, slots=True)
class Tickets:
    """How one server gives and takes tickets.

    Attributes:
        keys: shared with others.
        binding: a digest of everything that a ticket depends on.
        clock: unix seconds.
        permits: whether this peer, whose proof still counts, may come in today.
    """

    keys: TicketKeys
    binding: bytes
    clock: Clock
    permits: Callable[[Authentication], bool]

    def seal(self, session: Session, entropy: Entropy) -> bytes | None:
        """A ticket for the session; None without keys, or where its peer has too many names."""
        if len(session.authentication.identity) > MAX_TICKET:
            return None
        ticket = self.keys.seal(_write(session), self.binding, entropy)
        return None if ticket is None or len(ticket) > MAX_TICKET else ticket

    def open(self, ticket: bytes) -> Session | None:
        """The session of a ticket that is ours and still good, else None: never an error."""
        content = self.keys.open(ticket, self.binding)
        session = None if content is None else _read(content)
        if session is None or session.end <= self.clock():
            return None
        return session if self.permits(session.authentication) else None


def _write(session: Session) -> bytes:
    proof, psk = session.authentication, session.psk.expose()
    digest, identity, key = proof.chain_digest, proof.identity, proof.key_algorithm.encode()
    return b"%b%b%b%c%b%b%b%c%b" % (
        _suite_and_length(session.cipher_suite, len(psk)),
        psk,
        _times(session.end, proof.time, proof.end),
        len(digest),
        digest,
        len(identity).to_bytes(2, "big"),
        identity,
        len(key),
        key,
    )


def _read(content: bytes) -> Session | None:
    reader = Reader(content, "ticket")
    try:
        suite, psk = CipherSuite(reader.uint(2)), Secret(reader.opaque(1))
        end, time, proof_end = reader.uint(8), reader.uint(8), reader.uint(8)
        digest, identity, key = reader.opaque(1), reader.opaque(2), reader.opaque(1).decode()
        reader.finish()
    except (FatalAlert, ValueError):  # sealed by another version of us
        return None
    return Session(suite, psk, Authentication(identity, digest, time, proof_end, key), end)
