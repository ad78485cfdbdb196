"""Names of key-exchange groups, as TLS calls them, and the profiles made of them."""

from collections.abc import Sequence

from pqproxy.config.values import Policy, Profile

POST_QUANTUM = ("X25519MLKEM768", "SecP256r1MLKEM768", "SecP384r1MLKEM1024")
CLASSICAL = ("x25519", "secp256r1", "secp384r1")  # not under `policy: require`
PRIVATE = ("X25519MLKEM1024",)  # a code point for private use: in no profile, only by name
CNSA2 = ("SecP384r1MLKEM1024",)
KNOWN = POST_QUANTUM + PRIVATE + CLASSICAL


def default_groups(policy: Policy) -> tuple[str, ...]:
    """Return the profile `default`: post-quantum first, classical ones only where accepted."""
    return POST_QUANTUM if policy is Policy.REQUIRE else POST_QUANTUM + CLASSICAL


def effective_groups(groups: Sequence[str] | Profile | None, policy: Policy) -> tuple[str, ...]:
    """Return what a listener uses: its own list, or those of the profile where it has none."""
    if groups is Profile.CNSA2:
        return CNSA2
    return default_groups(policy) if groups is None else tuple(groups)
