"""Which kinds of keys may sign content, from the root down to the signer."""

from __future__ import annotations

from enum import StrEnum

from pqproxy.crypto.composite_keys import COMPOSITES
from pqproxy.signing.algorithms import BY_KEY


class Authentication(StrEnum):
    """What is demanded of every key, as in `authentication:` of a listener."""

    HYBRID = "hybrid"  # ML-DSA and a traditional algorithm, and both must verify
    POST_QUANTUM = "post-quantum"  # or ML-DSA alone
    ANY = "any"  # or ECDSA alone


_HYBRID = frozenset(each.key_algorithm for each in COMPOSITES)
_POST_QUANTUM = _HYBRID | {kind for kind in BY_KEY if kind.startswith("mldsa")}


def permitted(authentication: Authentication) -> frozenset[str]:
    """The names of the kinds, as `key_algorithm` has them."""
    if authentication is Authentication.HYBRID:
        return _HYBRID
    return _POST_QUANTUM if authentication is Authentication.POST_QUANTUM else frozenset(BY_KEY)
