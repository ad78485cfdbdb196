"""Who we are and whom we believe: certificates, names, trust. Knows nothing of sockets or TLS."""

from pqproxy.identity.errors import IdentityError, Refused
from pqproxy.identity.own import Identity
from pqproxy.identity.patterns import IdentityPatterns
from pqproxy.identity.peer import PeerIdentity, Purpose
from pqproxy.identity.trust import Trust

__all__ = [
    "Identity",
    "IdentityError",
    "IdentityPatterns",
    "PeerIdentity",
    "Purpose",
    "Refused",
    "Trust",
]
