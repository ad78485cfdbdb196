"""Which endpoints are known to speak no tunnels, so that they are not asked again and again.

An egress offers pqproxy/1 to everybody. A server that refuses it outright is tried once more
without, with the same groups: nothing but the protocol may ever be taken back. So whoever forges
that refusal brings about no more than a TLS connection for each client connection. What was learnt
holds for ten minutes: the server may be a sidecar by then.
"""

import time
from collections.abc import Callable, Hashable

from pqproxy.tls import AlertDescription, Failed
from pqproxy.tunnel import TUNNEL_PROTOCOL

REMEMBERED = 600.0  # seconds
MOST_ENDPOINTS = 1024  # beyond, the one of which nothing was heard for longest is forgotten


class Discovery:
    """What an egress has learnt of its endpoints; whatever tells two of them apart is a key."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends: dict[Hashable, float] = {}  # when a standard server is asked again

    def offers_tunnels(self, endpoint: Hashable) -> bool:
        """Whether tunnels are worth offering to this endpoint."""
        end = self._ends.get(endpoint)
        if end is None:
            return True
        if self._clock() < end:
            return False
        del self._ends[endpoint]
        return True

    def completed(self, endpoint: Hashable, protocol: bytes | None) -> None:
        """Learn from a handshake in which tunnels were offered, and which selected `protocol`."""
        self._ends.pop(endpoint, None)
        if protocol != TUNNEL_PROTOCOL:
            self._remember(endpoint)

    def failed(self, endpoint: Hashable, failure: Failed | None) -> bool:
        """Learn from one that failed, and say whether to try once more without tunnels."""
        if failure is None or not failure.by_peer:
            return False
        if failure.alert != AlertDescription.NO_APPLICATION_PROTOCOL:
            return False
        self._ends.pop(endpoint, None)
        self._remember(endpoint)
        return True

    def _remember(self, endpoint: Hashable) -> None:
        while len(self._ends) >= MOST_ENDPOINTS:
            del self._ends[next(iter(self._ends))]
        self._ends[endpoint] = self._clock() + REMEMBERED
