"""A tunnel's two log lines and its counts, on either side."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from pqproxy.proxy.tunnel_link import TunnelLink
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry import log
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.reasons import TunnelEnd


@dataclass(slots=True)
class TunnelRecord:
    """One tunnel that is up, from here to its end."""

    visit: Visit  # of the connection that it is
    link: TunnelLink
    counters: ListenerCounters
    _since: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.counters.tunnel_opened()
        self.link.on_round_trip = self.counters.round_trip
        log.write(log.TunnelUpLine(**self._who()))

    def ended(self, end: TunnelEnd, detail: str) -> None:
        """It is gone."""
        self.counters.tunnel_closed(end)
        refusal = self.visit.refusal  # of a peer that was good when it came
        log.write(
            log.TunnelClosedLine(
                **self._who(),
                end_reason=end,
                duration=time.monotonic() - self._since,
                streams=self.link.opened,
                reset=self.link.cut_off,
                round_trip=self.link.round_trip,
                detail=detail or (None if refusal is None else refusal.detail),
                fix=None if refusal is None else refusal.fix,
            )
        )

    def _who(self) -> dict[str, Any]:
        visit, negotiated = self.visit, self.visit.negotiated
        ours = visit.upstream is not None
        return {
            "listener": visit.listener,
            "tunnel": self.link.name,
            "peer": None if ours else visit.peer,
            "upstream": visit.upstream,
            "identity": None if visit.identity is None else visit.identity.name,
            "server_name": None if negotiated is None else negotiated.server_name,
            "group": None if negotiated is None else negotiated.group_name,
            "cipher_suite": None if negotiated is None else negotiated.cipher_suite.name,
            "signature": visit.own_signature,
            "peer_signature": visit.peer_signature,
            "resumed": True if negotiated is not None and negotiated.resumed else None,
        }
