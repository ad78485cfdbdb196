"""What a worker counts: plain integers, bumped per connection or per turn of the loop.

Nothing is formatted here. A worker sends `WorkerCounters.snapshot()` when the supervisor asks;
the supervisor adds snapshots up with `merge`. A snapshot comes from the process that faces the
network, so `merge` checks its shape and closes every label set again.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from pqproxy.telemetry.endpoints import Endpoints
from pqproxy.telemetry.evidence import Evidence, take_evidence
from pqproxy.telemetry.labels import (
    GROUPS,
    RESUMED,
    SIGNATURES,
    TRANSPORTS,
    ConnectResult,
    Decision,
    HandshakeResult,
    closed,
)
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from pqproxy.telemetry.reported import read_count, read_seconds

# Upper bounds in seconds. A local handshake takes about 1 ms, one across the world under 1 s.
DURATION_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
# Between two machines of one room it is 0.1 ms.
ROUND_TRIP_BUCKETS = (0.0001, 0.00025, 0.0005, *DURATION_BUCKETS[:-2])


class Histogram:
    """Counts of durations, by bucket."""

    __slots__ = ("bounds", "buckets", "total")

    def __init__(self, bounds: tuple[float, ...] = DURATION_BUCKETS) -> None:
        self.bounds = bounds
        self.buckets = [0] * (len(bounds) + 1)  # the last one: longer than every bound
        self.total = 0.0

    def observe(self, seconds: float) -> None:
        """Count one duration."""
        self.buckets[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    @property
    def mean(self) -> float | None:
        """Of all that was counted, in seconds."""
        count = sum(self.buckets)
        return self.total / count if count else None

    def snapshot(self) -> dict[str, Any]:
        """JSON-able values."""
        return {"buckets": list(self.buckets), "total": self.total}

    def merge(self, snapshot: object) -> None:
        """Add what a worker reported. Raises ValueError when that is malformed."""
        reported = _mapping(snapshot)
        buckets = reported.get("buckets")
        if not isinstance(buckets, list) or len(buckets) != len(self.buckets):
            raise ValueError("histogram with the wrong number of buckets")
        added = [read_count(bucket) for bucket in buckets]
        self.buckets = [mine + theirs for mine, theirs in zip(self.buckets, added, strict=True)]
        self.total += read_seconds(reported.get("total"))


class Tally:
    """One counter with labels from closed sets."""

    __slots__ = ("_key", "_sets", "counts")

    def __init__(self, *sets: Iterable[str]) -> None:
        self._sets = tuple(frozenset(allowed) for allowed in sets)
        # Few labels come again and again, and each connection counts four times.
        self._key = lru_cache(maxsize=64)(self._close)
        self.counts: dict[tuple[str, ...], int] = {}

    def add(self, *labels: str | None, count: int = 1) -> None:
        """Count one event; a label outside its set counts as "other"."""
        key = self._key(labels)
        self.counts[key] = self.counts.get(key, 0) + count

    def _close(self, labels: tuple[str | None, ...]) -> tuple[str, ...]:
        pairs = zip(labels, self._sets, strict=True)
        return tuple(closed(label, allowed) for label, allowed in pairs)

    def snapshot(self) -> list[list[str | int]]:
        """JSON-able rows: the labels, then the count."""
        return [[*labels, count] for labels, count in self.counts.items()]

    def merge(self, rows: object) -> None:
        """Add what a worker reported. Raises ValueError when that is malformed."""
        if not isinstance(rows, list):
            raise ValueError("counter without rows")
        for row in rows:
            if not isinstance(row, list) or len(row) != len(self._sets) + 1:
                raise ValueError("counter row with the wrong number of labels")
            self.add(*map(str, row[:-1]), count=read_count(row[-1]))


# Of a listener's counters, those that add themselves up.
_MERGED = (
    "connections",
    "handshakes",
    "decisions",
    "connects",
    "handshake_seconds",
    "connect_seconds",
    "endpoints",
    "tunnel_closes",
    "round_trip_seconds",
)


class ListenerCounters:
    """Everything counted for one listener."""

    def __init__(self, name: str, role: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.name = name
        self.role = role
        self.active = dict.fromkeys(sorted(TRANSPORTS), 0)
        self.client_received = self.client_sent = 0
        self.upstream_received = self.upstream_sent = 0
        self.connections = Tally(TRANSPORTS, EndReason)
        self.handshakes = Tally(GROUPS, SIGNATURES, SIGNATURES, RESUMED, HandshakeResult)
        self.decisions = Tally(Decision, ReasonCode)
        self.connects = Tally(ConnectResult)
        self.handshake_seconds = Histogram()
        self.connect_seconds = Histogram()
        self.tunnels = 0  # up now; their streams are in `active`
        self.tunnel_buffered = 0  # bytes that they hold; whoever takes a snapshot sets it before
        self.endpoints = Endpoints()  # of an egress; the same
        self.tunnel_closes = Tally(TunnelEnd)
        self.round_trip_seconds = Histogram(ROUND_TRIP_BUCKETS)
        # Monotonic times, which all processes of one machine share.
        self.last_dial_succeeded: float | None = None
        self.last_dial_failed: float | None = None
        self.evidence = Evidence()  # that a worker has not reported yet; no part of a snapshot
        self._clock = clock

    def opened(self, transport: str = "tls") -> None:
        """Count a connection that was accepted."""
        self.active[transport] += 1

    def became_stream(self) -> None:
        """An accepted connection, `opened` as any other, is carried by a tunnel from here on."""
        self.active["tls"] -= 1
        self.active["stream"] += 1

    def closed(self, transport: str, reason: EndReason) -> None:
        """Count the end of a connection that was `opened`."""
        self.active[transport] -= 1
        self.connections.add(transport, reason)

    def handshake(
        self,
        group: str | None,
        signature: str | None,
        peer_signature: str | None,
        resumed: bool,
        result: HandshakeResult,
        seconds: float,
    ) -> None:
        """Count a handshake by what was negotiated; None where it did not get that far."""
        self.handshakes.add(group, signature, peer_signature, str(resumed).lower(), result)
        if result is HandshakeResult.COMPLETED:  # others tell of timeouts, not of our speed
            self.handshake_seconds.observe(seconds)

    def decision(self, decision: Decision, reason: ReasonCode | None = None) -> None:
        """Count what policy said; an accepted peer has no reason."""
        self.decisions.add(decision, reason)

    def client_bytes(self, received: int, sent: int) -> None:
        """Count payload on the side of whoever connected to us."""
        self.client_received += received
        self.client_sent += sent

    def upstream_bytes(self, received: int, sent: int) -> None:
        """Count payload on the side that we dialled."""
        self.upstream_received += received
        self.upstream_sent += sent

    def carried(self, received: int, sent: int) -> None:
        """Count payload of a client that was passed on, and of its answer."""
        self.client_received += received
        self.upstream_sent += received
        self.client_sent += sent
        self.upstream_received += sent

    def upstream_connect(self, result: ConnectResult, seconds: float) -> None:
        """Count one attempt to reach the upstream."""
        self.connects.add(result)
        if result is ConnectResult.CONNECTED:
            self.connect_seconds.observe(seconds)
            self.last_dial_succeeded = self._clock()
        else:
            self.last_dial_failed = self._clock()

    @property
    def clients(self) -> int:
        """Connections open now, without those that are tunnels."""
        return max(0, sum(self.active.values()) - self.tunnels)

    @property
    def clients_ended(self) -> int:
        """Connections that have ended, without those that were tunnels."""
        ended, tunnels = self.connections.counts, self.tunnel_closes.counts
        return max(0, sum(ended.values()) - sum(tunnels.values()))

    def tunnel_opened(self) -> None:
        """Count a tunnel that is up: its peer has let us in, or was let in."""
        self.tunnels += 1

    def tunnel_closed(self, reason: TunnelEnd) -> None:
        """Count the end of a tunnel that was `tunnel_opened`."""
        self.tunnels -= 1
        self.tunnel_closes.add(reason)

    def round_trip(self, seconds: float) -> None:
        """Count what a PING found out."""
        self.round_trip_seconds.observe(seconds)

    def snapshot(self) -> dict[str, Any]:
        """JSON-able values."""
        return {
            "active": dict(self.active),
            "bytes": [
                self.client_received,
                self.client_sent,
                self.upstream_received,
                self.upstream_sent,
            ],
            "connections": self.connections.snapshot(),
            "handshakes": self.handshakes.snapshot(),
            "decisions": self.decisions.snapshot(),
            "connects": self.connects.snapshot(),
            "handshake_seconds": self.handshake_seconds.snapshot(),
            "connect_seconds": self.connect_seconds.snapshot(),
            "tunnels": [self.tunnels, self.tunnel_buffered],
            "endpoints": self.endpoints.snapshot(),
            "tunnel_closes": self.tunnel_closes.snapshot(),
            "round_trip_seconds": self.round_trip_seconds.snapshot(),
            "last_dial": [self.last_dial_succeeded, self.last_dial_failed],
        }

    def merge(self, snapshot: object) -> None:
        """Add what a worker reported. Raises ValueError when that is malformed."""
        reported = _mapping(snapshot)
        active = _mapping(reported.get("active"))
        for transport in self.active:
            self.active[transport] += read_count(active.get(transport, 0))
        received, sent, upstream_received, upstream_sent = map(
            read_count, _list(reported, "bytes", 4)
        )
        self.client_bytes(received, sent)
        self.upstream_bytes(upstream_received, upstream_sent)
        tunnels, buffered = map(read_count, _list(reported, "tunnels", 2))
        self.tunnels += tunnels
        self.tunnel_buffered += buffered
        for name in _MERGED:
            getattr(self, name).merge(reported.get(name))
        succeeded, failed = _list(reported, "last_dial", 2)
        self.last_dial_succeeded = _later(self.last_dial_succeeded, succeeded)
        self.last_dial_failed = _later(self.last_dial_failed, failed)

    def end_all(self, reason: EndReason) -> None:
        """Count every connection still active, and every tunnel, as ended: its worker is gone."""
        for transport, count in self.active.items():
            if count:
                self.connections.add(transport, reason, count=count)
            self.active[transport] = 0
        if self.tunnels:
            self.tunnel_closes.add(TunnelEnd.INTERNAL_ERROR, count=self.tunnels)
        self.tunnels = self.tunnel_buffered = 0
        self.endpoints.replace({})


class WorkerCounters:
    """The counters of every listener of one worker, or of all workers together."""

    def __init__(self, roles: Mapping[str, str]) -> None:
        self.listeners = {name: ListenerCounters(name, role) for name, role in roles.items()}

    def cover(self, roles: Mapping[str, str]) -> None:
        """Count for these listeners too, from now on."""
        for name, role in roles.items():
            if name in self.listeners:
                self.listeners[name].role = role
            else:
                self.listeners[name] = ListenerCounters(name, role)

    def snapshot(self) -> dict[str, Any]:
        """JSON-able values, for the channel to the supervisor."""
        return {name: counters.snapshot() for name, counters in self.listeners.items()}

    def take_evidence(self) -> dict[str, Any]:
        """Remove as much of the evidence as one report may hold."""
        return take_evidence({name: one.evidence for name, one in self.listeners.items()})

    def merge(self, snapshot: object) -> None:
        """Add what a worker reported. Raises ValueError when that is malformed."""
        reported = _mapping(snapshot)
        for name, counters in self.listeners.items():
            if name in reported:
                counters.merge(reported[name])

    def without(self, others: "WorkerCounters") -> "WorkerCounters":
        """Those of the listeners that `others` do not count for."""
        rest = WorkerCounters({})
        rest.listeners = {
            name: counters
            for name, counters in self.listeners.items()
            if name not in others.listeners
        }
        return rest

    def end_all(self, reason: EndReason) -> None:
        """Count every connection still active as ended."""
        for counters in self.listeners.values():
            counters.end_all(reason)


def _mapping(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("snapshot without the expected names")
    return value


def _list(reported: Mapping[str, Any], name: str, length: int) -> list[Any]:
    values = reported.get(name)
    if not isinstance(values, list) or len(values) != length:
        raise ValueError(f"{name} wants {length} values")
    return values


def _later(mine: float | None, theirs: object) -> float | None:
    if theirs is None:
        return mine
    return max(mine or 0.0, read_seconds(theirs))
