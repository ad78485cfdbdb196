"""`allow` and `expect`: which verified peers are meant.

`*` is exactly one whole path segment of a SPIFFE ID or the leftmost label of a DNS name. The
syntax is read by `config.patterns`; here is what it means.

The trust domain in a pattern is literal, and that is a safety rule, not a limit. A root that
declares no trust domain of its own (a URI SAN such as `spiffe://corp`) could sign an ID of any
domain, so an ID from such a root is permitted only by a pattern that spells its domain out.
`any-trusted` permits it only where the root vouches for the domain.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pqproxy.config.patterns import ANY_TRUSTED, parse_pattern
from pqproxy.identity.errors import ACCESS_DENIED, IdentityError, Refused
from pqproxy.identity.names import is_spiffe
from pqproxy.identity.peer import PeerIdentity, Purpose
from pqproxy.telemetry.reasons import ReasonCode


class _Pattern(Protocol):
    @property
    def keys(self) -> tuple[str, ...]:
        """One of these `_keys_of` every peer that it permits."""

    def permits(self, peer: PeerIdentity) -> bool: ...


@dataclass(frozen=True, slots=True)
class _AnyTrusted:
    @property
    def keys(self) -> tuple[str, ...]:
        return (ANY_TRUSTED,)

    def permits(self, peer: PeerIdentity) -> bool:
        return peer.trust_domain_vouched or not any(map(is_spiffe, peer.uris))


@dataclass(frozen=True, slots=True)
class _Uri:
    segments: tuple[str, ...]  # of the whole URI: scheme, empty, trust domain, path

    @property
    def keys(self) -> tuple[str, ...]:
        if "*" in self.segments:
            return (_shape(self.segments),)
        return ("/".join(self.segments),)

    def permits(self, peer: PeerIdentity) -> bool:
        return any(self._matches(uri.split("/")) for uri in peer.uris)

    def _matches(self, segments: list[str]) -> bool:
        return len(segments) == len(self.segments) and all(
            wanted in ("*", found) for wanted, found in zip(self.segments, segments, strict=True)
        )


@dataclass(frozen=True, slots=True)
class _Dns:
    name: str  # lower case, perhaps with a leading "*."

    @property
    def keys(self) -> tuple[str, ...]:
        first, _, parent = self.name.partition(".")
        return (self.name,) if first == "*" else (self.name, f"covers {parent}")

    def permits(self, peer: PeerIdentity) -> bool:
        return any(self._matches(name, peer.purpose) for name in peer.dns_names)

    def _matches(self, presented: str, purpose: Purpose) -> bool:
        if presented == self.name:
            return True
        if self.name.startswith("*."):
            return _covers(self.name, presented)
        # A server may be one of many behind a wildcard certificate (RFC 9525 §6.3). A client may
        # not: whoever holds such a certificate would be every client of that domain.
        return purpose is Purpose.SERVER and _covers(presented, self.name)


@dataclass(frozen=True, slots=True)
class _Ip:
    address: str

    @property
    def keys(self) -> tuple[str, ...]:
        return (self.address,)

    def permits(self, peer: PeerIdentity) -> bool:
        return self.address in peer.ip_addresses


@dataclass(frozen=True, slots=True)
class IdentityPatterns:
    """A list of patterns; a peer is permitted when one of them matches one of its names."""

    texts: tuple[str, ...]
    _patterns: tuple[_Pattern, ...]

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "IdentityPatterns":
        """Read patterns. Raises IdentityError naming the first that is malformed."""
        listed = tuple(texts)
        return cls(listed, tuple(map(_parse, listed)))

    def permits(self, peer: PeerIdentity) -> bool:
        """Whether one of the patterns matches."""
        return any(pattern.permits(peer) for pattern in self._patterns)

    def check(self, peer: PeerIdentity) -> None:
        """Raise Refused unless one of the patterns matches."""
        if self.permits(peer):
            return
        key = "allow" if peer.purpose is Purpose.CLIENT else "expect"
        listed = ", ".join(self.texts) or "nothing"
        detail = f"{peer.name} is not among {key}: {listed}"
        fix = f"add {peer.name} to {key}, if this {peer.purpose} is meant"
        if ANY_TRUSTED in self.texts:
            detail = (
                f"no root vouches for the trust domain of {peer.name}, so any-trusted is not enough"
            )
            fix = (
                f"name the identity in {key} (its trust domain spelled out),"
                " or use a root that declares its trust domain by a URI such as spiffe://corp"
            )
        raise Refused(ReasonCode.NOT_ALLOWED, ACCESS_DENIED, detail, fix)


class PatternIndex:
    """Many patterns, of which a peer is held against the few only that may match it."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Read patterns. Raises IdentityError naming the first that is malformed."""
        self._by_key: dict[str, list[tuple[str, _Pattern]]] = {}
        for text in texts:
            pattern = _parse(text)
            for key in pattern.keys:
                self._by_key.setdefault(key, []).append((text, pattern))

    def find(self, peer: PeerIdentity) -> str | None:
        """One of the patterns that match, as it was written, or None.

        Whatever else a name of the peer's may stand for counts too: nobody gets past such a list
        by how an authority spelt it.
        """
        if not self._by_key:
            return None
        meant = replace(
            peer,
            dns_names=(*peer.dns_names, *(name.removesuffix(".") for name in peer.dns_names)),
            ip_addresses=(*peer.ip_addresses, *map(_unmapped, peer.ip_addresses)),
        )
        for key in _keys_of(meant):
            for text, pattern in self._by_key.get(key, ()):
                if pattern.permits(meant):
                    return text
        return None


def _unmapped(address: str) -> str:
    """The IPv4 address that an IPv6 one stands for (RFC 4291 §2.5.5.2), or the same."""
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _keys_of(peer: PeerIdentity) -> Iterator[str]:
    yield ANY_TRUSTED
    yield from peer.ip_addresses
    for uri in peer.uris:
        yield uri
        yield _shape(uri.split("/"))
    for name in peer.dns_names:
        first, _, parent = name.partition(".")
        yield name
        yield f"covers {parent}" if first == "*" else f"*.{parent}"


def _shape(segments: Sequence[str]) -> str:
    """What all URIs have in common that one pattern with a `*` may match."""
    return f"{len(segments)} segments of {segments[2] if len(segments) > 2 else ''}"


def _parse(text: str) -> _Pattern:
    # `expect` is the host of `connect` by default, and that may be an absolute name.
    relative = text if "://" in text else text.removesuffix(".")
    try:
        pattern = parse_pattern(relative)
    except ValueError as error:
        raise IdentityError(f"identity pattern {text!r}: {error}") from None
    if pattern == ANY_TRUSTED:
        return _AnyTrusted()
    if "://" in pattern:
        return _Uri(tuple(pattern.split("/")))
    try:
        return _Ip(str(ipaddress.ip_address(pattern)))
    except ValueError:
        return _Dns(pattern.lower())


def _covers(wildcard: str, name: str) -> bool:
    """Whether `*.example.com` stands for `name`: exactly one label more."""
    first, dot, parent = name.partition(".")
    return wildcard == f"*.{parent}" and bool(first and dot and parent) and first != "*"
