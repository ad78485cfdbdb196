"""The tunnels that an egress has: each a task among its connections, until it is gone.

So whatever ends connections (a peer that is revoked, a drain that is over) ends them too. What a
tunnel's handshake proved goes into the visit of every stream that it carries.
"""

from __future__ import annotations

import asyncio
import functools

from pqproxy.proxy.dialer import Endpoint
from pqproxy.proxy.tunnel_fleet import Dialled, TunnelFleet
from pqproxy.proxy.tunnel_link import TunnelLink
from pqproxy.proxy.tunnel_record import TunnelRecord
from pqproxy.proxy.tunnel_stream import TunnelStream
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from pqproxy.tunnel import TunnelError

_BUDGET_FIX = "have fewer connections at a time, or more workers"


class TunnelKeeper:
    """Those of one egress.

    Args:
        visits: its open connections, to which its tunnels are added.
    """

    def __init__(
        self,
        fleet: TunnelFleet[TunnelLink],
        counters: ListenerCounters,
        visits: dict[Visit, None],
    ) -> None:
        self._fleet, self._counters, self._open = fleet, counters, visits
        self._visits: dict[TunnelLink, Visit] = {}

    def keep(
        self, link: TunnelLink, endpoint: Endpoint, visit: Visit, lasts: float
    ) -> Dialled[TunnelLink]:
        """Take charge of a tunnel that is up, for the fleet."""
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        records: list[TunnelRecord] = []

        def on_gone(end: TunnelEnd, detail: str) -> None:
            for record in records:
                record.ended(end, detail)
                self._counters.closed(visit.transport, visit.left or EndReason.FINISHED)
            self._fleet.gone(link, endpoint, end, detail)
            if not gone.done():
                gone.set_result(None)

        def on_kept() -> None:
            self._counters.opened(visit.transport)
            records.append(TunnelRecord(visit, link, self._counters))

        link.on_gone = on_gone
        link.on_going_away = functools.partial(self._fleet.going_away, link)
        visit.link = visit.upstream_side = link
        visit.task = asyncio.get_running_loop().create_task(_until(gone))
        self._open[visit], self._visits[link] = None, visit
        visit.task.add_done_callback(functools.partial(self._over, link, visit))
        return Dialled(link, lasts, on_kept)

    def _over(self, link: TunnelLink, visit: Visit, _task: asyncio.Task[None]) -> None:
        del self._open[visit]
        if not link.closed:  # it was cancelled, by who said why in `left` or by the end of a drain
            link.abort(visit.left or EndReason.DRAINED)
        del self._visits[link]
        visit.place.leave()
        visit.depart()

    def open(self, link: TunnelLink, visit: Visit) -> TunnelStream:
        """A stream for a client. Raises Ended."""
        tunnel = self._visits[link]
        try:
            stream = link.open(visit.peer)
        except TunnelError as error:
            reason = ReasonCode.OVERLOAD
            raise Ended(EndReason.REFUSED, error.rule, reason, _BUDGET_FIX) from None
        if link.going_away:  # that was its last number
            self._fleet.going_away(link)
            link.retire(TunnelEnd.REPLACED)
        visit.carried_by(tunnel, stream)
        visit.upstream, visit.upstream_side = tunnel.upstream, stream
        self._counters.became_stream()
        return stream


async def _until(gone: asyncio.Future[None]) -> None:
    await gone
