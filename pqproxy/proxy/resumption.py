"""What ingress and egress make of sessions: what one is bound to, and who was behind it."""

import hashlib
from dataclasses import replace

from pqproxy.config.values import ConnectionLimits, Egress, Ingress, Timeouts
from pqproxy.identity.peer import PeerIdentity
from pqproxy.identity.trust import Trust
from pqproxy.tls import Authentication


def binding_of(listener: Ingress | Egress, trust: Trust | None) -> bytes:
    """A digest of everything about a listener that could make it judge a peer otherwise.

    That is all of its settings but those that surely cannot: a key that is added some day counts
    until somebody says that it need not. It is a value: the same settings, in whichever worker and
    after whatever reloads, give the same.
    """
    judging = replace(listener, timeouts=Timeouts(), limits=ConnectionLimits(), padding=None)
    trusted = b"" if trust is None else trust.digest
    return hashlib.sha256(repr(judging).encode() + b"\0" + trusted).digest()


def remembered_identity(proof: Authentication | None) -> PeerIdentity | None:
    """Who it was that proved it; None for nobody."""
    if proof is None or not proof.identity:
        return None
    return PeerIdentity.decode(proof.identity)
