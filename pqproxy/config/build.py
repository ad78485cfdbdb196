"""A checked model into the values that the rest of pqproxy is told (`values.py`)."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pqproxy.config.environment import PolicySource
from pqproxy.config.groups import effective_groups
from pqproxy.config.schema import EgressEntry, File, IngressEntry
from pqproxy.config.values import (
    Address,
    ConnectionLimits,
    Drain,
    Egress,
    IdentityFiles,
    Ingress,
    Log,
    Profile,
    Settings,
    TcpAddress,
    Timeouts,
    TrustFiles,
    Tunnel,
    UnixAddress,
)


def build_settings(
    file: File,
    base: Path,
    identities: Iterable[IdentityFiles],
    trust: Iterable[TrustFiles],
    policies: PolicySource,
) -> Settings:
    """Make the settings of one run. Relative paths are below `base`."""
    shared = _Shared(base, policies, tuple(sorted(file.code_points.items())))
    return Settings(
        identities=tuple(identities),
        trust=tuple(trust),
        ingress=tuple(_ingress(entry, shared) for entry in file.ingress),
        egress=tuple(_egress(entry, shared) for entry in file.egress),
        workers=file.workers,
        provider=file.crypto.provider,
        drain=Drain(file.drain.timeout, file.drain.delay),
        control=rebase(file.control.listen, base) if file.control else None,
        health=rebase(file.health.listen, base) if file.health else None,
        probes=tuple(file.health.probes.items()) if file.health else (),
        upstream_metrics=file.health.upstream_metrics if file.health else None,
        log=Log(file.log.format, file.log.connections),
        environment_policy=policies.environment,
        landlock=file.hardening.landlock != "off",
    )


def rebase(address: Address, base: Path) -> Address:
    """Make the path of a unix socket absolute."""
    if isinstance(address, UnixAddress):
        return UnixAddress(str(base / address.path))
    return address


def expected_hosts(connect: Iterable[Address]) -> tuple[str, ...]:
    """Return what an egress expects of its server where nothing else is said: the host."""
    return tuple(peer.host for peer in connect if isinstance(peer, TcpAddress))


@dataclass(frozen=True, slots=True)
class _Shared:
    """What the file says for all listeners, and what it is read by."""

    base: Path
    policies: PolicySource
    code_points: tuple[tuple[str, int], ...]


def _ingress(entry: IngressEntry, shared: _Shared) -> Ingress:
    return Ingress(
        forward=rebase(entry.forward, shared.base),
        trust=entry.trust,
        client_auth=entry.client_auth,
        allow=tuple(entry.allow),
        tunnel=entry.tunnel.mode,
        **_both(entry, shared),
    )


def _egress(entry: EgressEntry, shared: _Shared) -> Egress:
    return Egress(
        connect=tuple(rebase(peer, shared.base) for peer in entry.connect),
        trust=entry.trust,
        expect=tuple(entry.expect) or expected_hosts(entry.connect),
        tunnel=Tunnel(entry.tunnel.mode, entry.tunnel.count, entry.tunnel.max_age),
        **_both(entry, shared),
    )


def _both(entry: IngressEntry | EgressEntry, shared: _Shared) -> dict[str, Any]:
    policy, origin = shared.policies.of(entry)
    timeouts, limits = entry.timeouts, entry.limits
    return {
        "name": entry.name,
        "listen": rebase(entry.listen, shared.base),
        "identities": tuple(entry.identities),
        "policy": policy,
        "policy_origin": origin,
        "authentication": entry.authentication,
        "alpn": tuple(entry.alpn),
        "profile": Profile.CNSA2 if entry.groups is Profile.CNSA2 else Profile.DEFAULT,
        "groups": effective_groups(entry.groups, policy),
        "code_points": shared.code_points,
        "padding": entry.padding,
        "on_expiry": entry.on_expiry,
        "timeouts": Timeouts(
            timeouts.connect, timeouts.handshake, timeouts.idle, timeouts.half_close
        ),
        "limits": ConnectionLimits(
            limits.connections, limits.handshakes, limits.handshakes_per_source
        ),
    }
