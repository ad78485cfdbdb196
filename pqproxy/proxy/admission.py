"""Who may come in at all: caps on connections and on handshakes under way.

A handshake costs a millisecond of CPU and an unauthenticated peer, so those are bounded in total
and per source; a connection beyond a cap is closed before a byte of it is read.

Who says nothing must not keep others out: where the handshakes are full, the one that has been
under way for longest gives up its place, if it had `PATIENCE` already.
"""

import ipaddress
import time
from collections.abc import Callable

from pqproxy.config.values import ConnectionLimits

# An attacker on IPv6 has a whole /64 to choose from.
_IPV6_SOURCE_BITS = 64

# Seconds. An honest handshake is done in a few round trips, also while hundreds are computed.
PATIENCE = 1.0


class Admission:
    """The counts of one listener in one of `workers` processes, which share `connections`.

    `limits` may change; who is in stays in.
    """

    __slots__ = ("_clock", "_per_source", "_shaking", "_workers", "connections", "limits")

    def __init__(
        self,
        limits: ConnectionLimits,
        workers: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits, self._workers, self._clock = limits, workers, clock
        self._per_source: dict[str, int] = {}
        self._shaking: dict[Place, float] = {}  # since when; the oldest is first
        self.connections = 0

    @property
    def handshakes(self) -> int:
        """How many are under way."""
        return len(self._shaking)

    def ask(self, source: str) -> "Place | None":
        """A place for a connection, or None when there is none."""
        if self.full(source) is not None:
            return None
        if self.handshakes >= self.limits.handshakes:
            next(iter(self._shaking)).give_up()
        self.connections += 1
        self._per_source[source] = self._per_source.get(source, 0) + 1
        place = Place(self, source)
        self._shaking[place] = self._clock()
        return place

    def join(self, source: str) -> "Place | None":
        """A place for a connection without a handshake of its own: one that comes by a tunnel."""
        limits = self.limits
        if self.connections * self._workers >= limits.connections:
            return None
        self.connections += 1
        return Place(self, source, shaking=False)

    def full(self, source: str) -> str | None:
        """The limit that keeps a source out, as the configuration calls it, with its value."""
        limits = self.limits
        if self.connections * self._workers >= limits.connections:
            shared = f", shared by {self._workers} workers" if self._workers > 1 else ""
            return f"connections: {limits.connections}{shared}"
        if self.handshakes >= limits.handshakes and not self._somebody_dawdles():
            return f"handshakes: {limits.handshakes}"
        if self._per_source.get(source, 0) >= limits.handshakes_per_source:
            return f"handshakes_per_source: {limits.handshakes_per_source}"
        return None

    def _somebody_dawdles(self) -> bool:
        oldest = next(iter(self._shaking), None)
        return oldest is not None and self._clock() - self._shaking[oldest] >= PATIENCE

    def _handshake_over(self, place: "Place", source: str) -> None:
        del self._shaking[place]
        left = self._per_source[source] - 1
        if left:
            self._per_source[source] = left
        else:
            del self._per_source[source]  # or every source ever seen would stay


class Place:
    """What one connection holds. Both calls may come more than once, and `leave` says both."""

    __slots__ = ("_admission", "_left", "_shaking", "_source", "_tell", "given_up")

    def __init__(self, admission: Admission, source: str, *, shaking: bool = True) -> None:
        self._admission, self._source = admission, source
        self._shaking, self._left = shaking, False
        self.given_up = False  # to somebody else, in mid-handshake
        self._tell: Callable[[], None] | None = None

    @property
    def source(self) -> str:
        """Whose place it is, see `source_of`."""
        return self._source

    def handshake_over(self) -> None:
        """The handshake is done, or failed."""
        if self._shaking:
            self._shaking = False
            self._admission._handshake_over(self, self._source)

    def give_up(self) -> None:
        """Somebody else needs it more: whoever has it is told."""
        self.handshake_over()
        self.given_up = True
        if self._tell is not None:
            self._tell()

    def on_given_up(self, tell: Callable[[], None]) -> None:
        """Set what is called then; at once, if it is too late."""
        self._tell = tell
        if self.given_up:
            tell()

    def leave(self) -> None:
        """The connection is gone."""
        self.handshake_over()
        if not self._left:
            self._left = True
            self._admission.connections -= 1


def source_of(host: str) -> str:
    """What counts as one source: an IPv4 address, an IPv6 network, all of a unix socket."""
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((address, _IPV6_SOURCE_BITS), strict=False))
