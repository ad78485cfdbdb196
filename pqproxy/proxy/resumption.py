"""What ingress and egress make of sessions: what one is bound to, and who was behind it."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from pqproxy.config.values import ConnectionLimits, Egress, Ingress, Timeouts
from pqproxy.identity.own import Identity
from pqproxy.identity.peer import PeerIdentity
from pqproxy.identity.trust import Trust
from pqproxy.tls import Authentication


def binding_of(
    listener: Ingress | Egress, trust: Trust | None, shown: Iterable[Identity] = ()
) -> bytes:
    """A digest of everything about a listener that could make it judge a peer otherwise.

    And of what is shown to peers, who would else go on by a certificate that was replaced.

    That is all of its settings but those that surely cannot: a key that is added some day counts
    until somebody says that it need not. It is a value: the same settings, in whichever worker and
    after whatever reloads, give the same.
    """
    judging = replace(listener, timeouts=Timeouts(), limits=ConnectionLimits(), padding=None)
    trusted = b"" if trust is None else trust.digest
    whole = hashlib.sha256(repr(judging).encode() + b"\0" + trusted)
    for identity in shown:
        whole.update(hashlib.sha256(identity.chain[0]).digest())
    return whole.digest()


def remembered_identity(proof: Authentication | None) -> PeerIdentity | None:
    """Who it was that proved it; None for nobody."""
    if proof is None or not proof.identity:
        return None
    return _decoded(proof.identity)


@lru_cache(maxsize=32)  # the same peers come again and again, and each is asked for twice
def _decoded(identity: bytes) -> PeerIdentity:
    return PeerIdentity.decode(identity)
