"""From what the configuration says of a listener to what the TLS engine wants.

Code points of what a listener does not accept are not offered, so that a peer without anything else
finds out at once; who judges a peer looks again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pqproxy.config.groups import default_groups
from pqproxy.config.values import Egress, Ingress, Policy, Profile, TunnelMode
from pqproxy.identity.own import Identity
from pqproxy.identity.profile import accepted_keys
from pqproxy.tls import (
    CIPHER_SUITES,
    SCHEMES,
    AlpnDemand,
    CipherSuite,
    Credential,
    NamedGroup,
    SchemeTable,
    is_post_quantum,
)
from pqproxy.tunnel import TUNNEL_PROTOCOL

_CIPHER_SUITES = {
    Profile.DEFAULT: CIPHER_SUITES,
    Profile.CNSA2: (CipherSuite.TLS_AES_256_GCM_SHA384,),
}


@dataclass(frozen=True, slots=True)
class Algorithms:
    """What a listener's demands leave, beside the groups."""

    cipher_suites: tuple[CipherSuite, ...]
    schemes: SchemeTable
    signature_schemes: tuple[int, ...]  # of a peer's CertificateVerify
    chain_signature_schemes: tuple[int, ...]  # of its certificates


def algorithms(listener: Ingress | Egress) -> Algorithms:
    """What is offered to the peers of a listener."""
    schemes = SCHEMES.with_code_points(dict(listener.code_points))
    keys = accepted_keys(listener.profile, listener.authentication)
    return Algorithms(
        _CIPHER_SUITES[listener.profile],
        schemes,
        schemes.handshake_schemes(keys),
        schemes.chain_schemes(keys),
    )


def groups(names: Sequence[str], policy: Policy) -> tuple[int, ...]:
    """Code points of the groups by name, the policy's own where there are none.

    Post-quantum ones come first whatever the list says; under `require` there are no others.
    """
    points = [NamedGroup[name] for name in names or default_groups(policy)]
    post_quantum = tuple(filter(is_post_quantum, points))
    if policy is Policy.REQUIRE:
        return post_quantum
    return post_quantum + tuple(point for point in points if not is_post_quantum(point))


def key_shares(offered: Sequence[int]) -> tuple[int, ...]:
    """Which of the groups a client sends a share for: its first, and x25519 where it offers that.

    The second saves a round trip with servers that have no post-quantum group.
    """
    first = tuple(offered[:1])
    x25519 = NamedGroup.x25519
    return (*first, x25519) if x25519 in offered and x25519 not in first else first


def credentials(identities: Sequence[Identity]) -> tuple[Credential, ...]:
    """Certificates and keys, in the order in which a listener prefers them."""
    return tuple(
        Credential(identity.chain, identity.private_key, identity.key_algorithm)
        for identity in identities
    )


def alpn(protocols: Sequence[str]) -> tuple[bytes, ...]:
    """Protocol names as they go on the wire."""
    return tuple(protocol.encode("ascii") for protocol in protocols)


@dataclass(frozen=True, slots=True)
class IngressAlpn:
    """What an ingress selects from, and whether it insists on one of them."""

    protocols: tuple[bytes, ...]
    demand: AlpnDemand


def ingress_alpn(settings: Ingress) -> IngressAlpn:
    """Tunnels first. Without `alpn` a standard client may offer whatever it likes, as ever."""
    standard = alpn(settings.alpn)
    match settings.tunnel:
        case TunnelMode.NEVER:
            return IngressAlpn(standard, AlpnDemand.COMMON)
        case TunnelMode.REQUIRE:
            return IngressAlpn((TUNNEL_PROTOCOL,), AlpnDemand.ALWAYS)
        case TunnelMode.AUTO:
            demand = AlpnDemand.COMMON if standard else AlpnDemand.NONE
            return IngressAlpn((TUNNEL_PROTOCOL, *standard), demand)


def egress_alpn(settings: Egress) -> tuple[bytes, ...]:
    """What an egress offers to a server of which nothing is known yet."""
    standard, mode = alpn(settings.alpn), settings.tunnel.mode
    if mode is TunnelMode.REQUIRE:
        return (TUNNEL_PROTOCOL,)
    return standard if mode is TunnelMode.NEVER else (TUNNEL_PROTOCOL, *standard)
