"""The tunnels that came in through one listener: links, and the streams that come out of them.

A tunnel is a connection like any other until its handshake is done; then it lives for as long as
its peer wants, and every stream in it is judged by what is known of that peer at that time.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable

from pqproxy.proxy.descriptor import CLIENT, Engine
from pqproxy.proxy.poller import Poller
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.tunnel_codes import stream_end_for
from pqproxy.proxy.tunnel_link import TunnelLink
from pqproxy.proxy.tunnel_record import TunnelRecord
from pqproxy.proxy.tunnel_stream import TunnelStream
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from pqproxy.tunnel import INITIAL_WINDOW, Open, Role, Settings, Tunnel, TunnelError

_TURN = 0.002  # seconds of welcoming in one turn of the loop

_log = logging.getLogger(__name__)

# Takes a stream, what was said of it, and the visit of the tunnel that it came through.
StreamWelcome = Callable[[TunnelStream, Open, Visit], None]


class TunnelHost:
    """All tunnels of one service."""

    def __init__(
        self, engine: Engine, counters: ListenerCounters, max_streams: int, welcome: StreamWelcome
    ) -> None:
        self._engine, self._counters = engine, counters
        self._reception = _Reception(engine.poller, welcome)
        self._settings = Settings(engine.instance, INITIAL_WINDOW, max_streams)
        self._links: set[TunnelLink] = set()
        self._retiring: TunnelEnd | None = None

    async def carry(self, tls: TlsDuplex, visit: Visit) -> None:
        """Serve the tunnel until it ends. Raises Ended for one that cannot be.

        Args:
            tls: its handshake is done, and its peer may come in.
            visit: of the tunnel itself.
        """
        link = visit.client = visit.link = self._link(tls, visit)
        records: list[TunnelRecord] = []  # one, from its peer's first word on
        gone: asyncio.Future[tuple[TunnelEnd, str]] = self._engine.poller.loop.create_future()

        def on_up() -> None:
            records.append(TunnelRecord(visit, link, self._counters))

        def on_gone(end: TunnelEnd, detail: str) -> None:
            self._links.discard(link)
            for record in records:
                record.ended(end, detail)
            if not gone.done():
                gone.set_result((end, detail))

        link.on_up, link.on_gone = on_up, on_gone
        self._links.add(link)
        if self._retiring is not None:
            link.retire(self._retiring)
        try:
            end, detail = await gone
        finally:
            if not records:  # it is told of as any connection: somebody only looked whether
                visit.link = None  # tunnels are to be had, for instance
        if not records:
            raise Ended(stream_end_for(end, CLIENT), detail)

    def _link(self, tls: TlsDuplex, visit: Visit) -> TunnelLink:
        if tls.closed:
            raise Ended(EndReason.CLIENT_LEFT, "the client left before the tunnel was up")
        try:
            tunnel = Tunnel(
                Role.INGRESS,
                self._settings,
                self._engine.budget,
                tls.max_fragment,
                time.monotonic(),
            )
        except TunnelError as error:
            raise Ended(EndReason.PROTOCOL_ERROR, error.rule, ReasonCode.PROTOCOL_ERROR) from None

        def welcome(stream: TunnelStream, said: Open) -> None:
            self._reception.put(stream, said, visit)

        return TunnelLink(tls, tunnel, self._engine, welcome)

    def retire(self, end: TunnelEnd) -> None:
        """Have no new streams, through none of them; they end when their last stream has."""
        self._retiring = end
        for link in tuple(self._links):
            link.retire(end)


class _Reception:
    """Welcomes streams, a few milliseconds of them a turn.

    One record can open more than a thousand, and each of them has us dial somebody. Who is welcomed
    at once is there for what its client said in the same record.
    """

    def __init__(self, poller: Poller, welcome: StreamWelcome) -> None:
        self._poller, self._welcome = poller, welcome
        self._queue: deque[tuple[TunnelStream, Open, Visit]] = deque()
        self._end: float | None = None  # of the time for it in this turn; None: it has not begun
        self._queued = False  # a turn was asked for

    def put(self, stream: TunnelStream, said: Open, tunnel: Visit) -> None:
        now = time.monotonic()
        if self._end is None:
            self._end = now + _TURN
            self._ask_for_turn()
        # For one whose end came in the same record, of which it hears next, nobody is dialled.
        if self._queue or now >= self._end or stream.ends_at_once:
            self._queue.append((stream, said, tunnel))
        else:
            self._take(stream, said, tunnel)

    def on_turn(self) -> None:
        """Welcome who waits; a stream that is gone by now is counted all the same."""
        self._end, self._queued = None, False
        if not self._queue:
            return
        end = time.monotonic() + _TURN
        while self._queue and time.monotonic() < end:
            self._take(*self._queue.popleft())
        if self._queue:
            self._ask_for_turn()

    def _take(self, stream: TunnelStream, said: Open, tunnel: Visit) -> None:
        try:
            self._welcome(stream, said, tunnel)
        except Exception:  # the others of its tunnel have nothing to do with it
            _log.exception("a stream failed inside the proxy")
            stream.crashed()

    def _ask_for_turn(self) -> None:
        if not self._queued:
            self._queued = True
            self._poller.again(self)

    def on_events(self, mask: int) -> None:
        """Never: no descriptor is ours."""

    def crashed(self) -> None:
        """Nothing to undo: the others are welcome."""
