"""Carries out what a `Fleet` decides for one egress: resolves, dials, retires, and tells who waits.

It makes no tunnel itself: a coroutine that it is given dials one endpoint and answers with a link
that is up. Whoever owns the link says what becomes of it. Every endpoint that is ejected, and every
return of one, is one log line.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from pqproxy.config.values import Address, Egress
from pqproxy.proxy.dialer import DialFailed, Endpoint, resolve
from pqproxy.proxy.poller import Poller
from pqproxy.proxy.visit import Ended
from pqproxy.telemetry import endpoints, log
from pqproxy.telemetry.reasons import EndReason, ReasonCode, TunnelEnd
from pqproxy.tunnel.endpoint import Parting, Plan, Trouble
from pqproxy.tunnel.fleet import MOST_ADDRESSES, Choice, Fleet

_MOST_NAMED = 4  # endpoints, in the log line of a client
_RESOLVE_FIX = (
    "see whether the name is right and is answered for; it is asked for again by itself, and the"
    " addresses that it had are kept"
)
_CONNECT_FIX = (
    "see whether a server runs and listens there, and what is between; it is dialled again"
)
_LOST_FIX = "see the log of the sidecar there, and that it is of a version that fits"
_DOWN_FIX = "see the line of each endpoint for what would help; all are dialled again by themselves"
_FULL_FIX = "raise limits.connections there, or have more endpoints"

# Ends after which the same would happen again: the endpoint is left alone for a while.
_BROKEN = frozenset(
    {
        TunnelEnd.PEER_ALERT,
        TunnelEnd.PEER_ERROR,
        TunnelEnd.PROTOCOL_ERROR,
        TunnelEnd.UNAUTHORISED,
        TunnelEnd.REVOKED,
        TunnelEnd.EXPIRED,
        TunnelEnd.INTERNAL_ERROR,
    }
)
_PARTINGS = {
    Parting.REPLACED: TunnelEnd.REPLACED,
    Parting.SPARE: TunnelEnd.RETIRED,
    Parting.ENDED: TunnelEnd.EXPIRED,
}

_log = logging.getLogger(__name__)


class Link(Protocol):
    """What it knows of a tunnel."""

    @property
    def instance(self) -> int:
        """Of the worker at the other end."""

    @property
    def unsent(self) -> int:
        """Bytes that wait to be sent."""

    @property
    def streams(self) -> int:
        """How many are open."""

    @property
    def takes_streams(self) -> bool:
        """Whether it takes one more now."""

    @property
    def going_away(self) -> bool:
        """Whether it will take none any more."""

    def retire(self, end: TunnelEnd) -> None:
        """Have no new streams; it closes when the last one has ended."""


L = TypeVar("L", bound=Link)


class SpeaksNoTunnels(Exception):
    """A dial found a server that is good for connections of their own."""


@dataclass(frozen=True, slots=True)
class Dialled(Generic[L]):
    """A tunnel that is up."""

    link: L
    lasts: float  # seconds until the first certificate of either side ends
    on_kept: Callable[[], None]  # called unless there turns out to be one too many


class TunnelFleet(Generic[L]):
    """All tunnels of one egress in one worker.

    Args:
        dial: makes a tunnel to an endpoint. Raises Ended or SpeaksNoTunnels.
    """

    def __init__(
        self, settings: Egress, poller: Poller, dial: Callable[[Endpoint], Awaitable[Dialled[L]]]
    ) -> None:
        tunnel, names = settings.tunnel, list(dict.fromkeys(settings.connect))
        self._listener, self._timeouts, self._dial = settings.name, settings.timeouts, dial
        self._poller, self._loop = poller, poller.loop
        plan = Plan(tunnel.count, tunnel.max_age)
        self._fleet: Fleet[Address, Endpoint, L] = Fleet(names, plan, _chance)
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._step_asked = False
        self.over = False  # no tunnels are wanted any more
        self._waiting: set[asyncio.Future[None]] = set()
        self._new: list[Dialled[L]] = []  # of which the fleet has yet to say whether it needs them
        self._too_many: set[Address] = set()  # names that were warned of

    # What the egress says.

    def start(self) -> None:
        """Dial. Called once."""
        self._changed()

    def end(self) -> None:
        """Have no tunnels any more: each closes when its last stream has ended.

        Who is being dialled is not left in mid-handshake, but retired at once.
        """
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
        for link, parting in self._fleet.disband():
            link.retire(_PARTINGS[parting])

    def cut(self) -> None:
        """`end`, and dial no more."""
        self.end()
        for task in self._tasks:
            task.cancel()

    def going_away(self, link: L) -> None:
        """The other end wants no more streams by it, or it cannot take any."""
        self._fleet.going_away(link, self._loop.time())
        self._changed()

    def gone(self, link: L, endpoint: Endpoint, end: TunnelEnd, detail: str) -> None:
        """It is closed."""
        why = Trouble(
            f"{endpoint}: the tunnel ended at once: {detail or end}",
            ReasonCode.UPSTREAM_DOWN,
            _LOST_FIX,
        )
        if end in _BROKEN:
            why = Trouble(f"{endpoint}: {detail or end}", ReasonCode.PROTOCOL_ERROR, _LOST_FIX)
        if self._fleet.lost(link, why, self._loop.time(), end in _BROKEN):
            self._tell_ejected(endpoint, why)
        self._changed()

    def plain_opened(self, endpoint: Endpoint) -> None:
        """A client goes there by a connection of its own."""
        self._fleet.plain_opened(endpoint)

    def plain_closed(self, endpoint: Endpoint) -> None:
        """That one is over."""
        self._fleet.plain_closed(endpoint)

    def plain_failed(self, endpoint: Endpoint, ended: Ended) -> None:
        """That one could not be made."""
        self._failed(endpoint, ended, self._fleet.plain_failed)

    # Where streams go.

    def choose(self) -> Choice[Endpoint, L] | None:
        """Where a stream goes, if there is any place now: nearly always."""
        return self._fleet.choose()

    async def wait(self) -> Choice[Endpoint, L]:
        """Where a stream goes, once those who have yet to answer did. Raises Ended."""
        patience = _both(self._timeouts.connect, self._timeouts.handshake)
        try:
            async with asyncio.timeout(patience):
                while (choice := self._fleet.choose()) is None:
                    if not self._fleet.hopeful:
                        raise self._nobody_there()
                    await self._news()
        except TimeoutError:
            named = "; ".join([f"no tunnel was up after {patience:g} s", *self._named()])
            raise _down(Trouble(named, ReasonCode.UPSTREAM_DOWN, _DOWN_FIX)) from None
        return choice

    async def _news(self) -> None:
        news: asyncio.Future[None] = self._loop.create_future()
        self._waiting.add(news)
        try:
            await news
        finally:
            self._waiting.discard(news)

    def _nobody_there(self) -> Ended:
        troubles = list(self._fleet.troubles())
        if not troubles:
            detail = "every tunnel has as many streams as the other side takes"
            return _down(Trouble(detail, ReasonCode.OVERLOAD, _FULL_FIX))
        # Where all suffer from the same, that is what has to be mended.
        common = {(trouble.reason, trouble.fix) for trouble in troubles}
        reason, fix = common.pop()
        if common:
            reason, fix = ReasonCode.UPSTREAM_DOWN, _DOWN_FIX
        return _down(Trouble("; ".join(self._named()), reason, fix))

    def _named(self) -> list[str]:
        troubles = [trouble.detail for trouble in self._fleet.troubles()]
        named, more = troubles[:_MOST_NAMED], len(troubles) - _MOST_NAMED
        return [*named, f"and {more} more"] if more > 0 else named

    def endpoints(self) -> dict[str, endpoints.Endpoint]:
        """How each is found, for the status."""
        return {
            str(endpoint): endpoints.Endpoint(
                len(found.tunnels),
                found.plain_until is not None,
                "" if found.why is None else found.why.detail,
            )
            for endpoint, found in self._fleet.endpoints.items()
            if not found.gone or found.tunnels
        }

    # Carrying out.

    def _changed(self) -> None:
        """Ask for orders, in a turn of its own: nobody is called back from within their call."""
        if not (self._step_asked or self.over):
            self._step_asked = True
            self._loop.call_soon(self._step)

    def _step(self) -> None:
        self._step_asked = False
        if self.over:
            return
        orders = self._fleet.orders(self._loop.time())
        for link, parting in orders.retire:
            link.retire(_PARTINGS[parting])
        for dialled in self._new:
            # One too many is told of as well, if somebody came before it was known for that.
            if dialled.link.streams or not dialled.link.going_away:
                dialled.on_kept()
        self._new.clear()
        for name in orders.resolve:
            self._begin(self._resolve(name))
        for endpoint in orders.dial:
            self._begin(self._dial_one(endpoint))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        if orders.wake < float("inf"):
            self._timer = self._loop.call_at(orders.wake, self._changed)
        _tell(self._waiting)

    def _begin(self, work: Coroutine[object, object, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resolve(self, name: Address) -> None:
        try:
            found = await resolve(name, self._timeouts.connect, self._poller)
        except DialFailed as failure:
            why = Trouble(str(failure), ReasonCode.UPSTREAM_DOWN, _RESOLVE_FIX)
            if self._fleet.unresolved(name, why, self._loop.time()):
                self._tell_ejected(name, why)
        else:
            if len(found) > MOST_ADDRESSES and name not in self._too_many:
                self._too_many.add(name)
                _log.warning(
                    "%s: %s has %d addresses, of which %d are used",
                    *(self._listener, name, len(found), MOST_ADDRESSES),
                )
            now = self._loop.time()
            if self._fleet.resolved(name, found, now, found[0].is_lasting):
                log.write(log.ReturnedLine(self._listener, str(name)))
        self._changed()

    async def _dial_one(self, endpoint: Endpoint) -> None:
        try:
            dialled = await self._dial(endpoint)
        except SpeaksNoTunnels:
            returned = self._fleet.plain(endpoint, self._loop.time())
        except Ended as ended:
            left = ended.end is EndReason.UPSTREAM_LEFT
            self._failed(endpoint, ended, self._fleet.vanished if left else self._fleet.failed)
            return
        except Exception as error:
            _log.exception("a dial failed inside the proxy")
            why = Ended(EndReason.INTERNAL_ERROR, f"{endpoint}: {type(error).__name__}")
            self._failed(endpoint, why, self._fleet.failed)
            return
        else:
            returned = self._take_up(endpoint, dialled)
        if returned:
            log.write(log.ReturnedLine(self._listener, str(endpoint)))
        self._changed()

    def _take_up(self, endpoint: Endpoint, dialled: Dialled[L]) -> bool:
        link, now = dialled.link, self._loop.time()
        if self.over:
            link.retire(TunnelEnd.RETIRED)
            return False
        returned = self._fleet.up(endpoint, link, link.instance, now + dialled.lasts, now)
        self._new.append(dialled)
        if link.going_away:  # since it was up, and nobody knew of it
            self._fleet.going_away(link, now)
        return returned

    def _failed(
        self,
        endpoint: Endpoint,
        ended: Ended,
        note: Callable[[Endpoint, Trouble, float, bool], bool],
    ) -> None:
        detail, refused = ended.detail, ended.end is not EndReason.UPSTREAM_DOWN
        if str(endpoint) not in detail:
            detail = f"{endpoint}: {detail}"
        reason = ended.reason or ReasonCode.UPSTREAM_DOWN
        why = Trouble(detail, reason, ended.fix or _CONNECT_FIX)
        if note(endpoint, why, self._loop.time(), refused):
            self._tell_ejected(endpoint, why)
        self._changed()

    def _tell_ejected(self, what: Endpoint | Address, why: Trouble) -> None:
        left = sum(endpoint.serves for endpoint in self._fleet.endpoints.values())
        reason = ReasonCode(why.reason)
        log.write(log.EjectedLine(self._listener, str(what), reason, why.detail, why.fix, left))


def _chance() -> float:
    return int.from_bytes(os.urandom(6)) / (1 << 48)


def _tell(waiting: Iterable[asyncio.Future[None]]) -> None:
    for news in waiting:
        if not news.done():
            news.set_result(None)


def _both(connect: float | None, handshake: float | None) -> float | None:
    return None if connect is None or handshake is None else connect + handshake


def _down(why: Trouble) -> Ended:
    return Ended(EndReason.UPSTREAM_DOWN, why.detail, ReasonCode(why.reason), why.fix)
