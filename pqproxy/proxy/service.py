"""What ingress and egress share: connections are taken through steps, counted and logged once.

Steps that have to wait for somebody have a task, until the two sides are joined. From then on the
splice has the connection and tells when it is over: bytes never touch a task.
"""

import asyncio
import functools
import itertools
import logging
import socket
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from pqproxy.config.values import Address, Egress, Ingress, OnExpiry
from pqproxy.crypto import Provider
from pqproxy.identity.errors import Refused
from pqproxy.identity.revocation import Revocations
from pqproxy.identity.trust import Trust
from pqproxy.proxy.admission import Admission, Place
from pqproxy.proxy.attendance import Attendance, check_presence
from pqproxy.proxy.demands import Demands
from pqproxy.proxy.descriptor import Engine
from pqproxy.proxy.dialer import DialFailed, Endpoint, dial, dial_endpoint
from pqproxy.proxy.duplex import Duplex
from pqproxy.proxy.listener import Listener
from pqproxy.proxy.overload import Overload
from pqproxy.proxy.peer_alerts import HandshakeFailed
from pqproxy.proxy.peer_judge import PeerJudge
from pqproxy.proxy.refusals import (
    handshake_result,
    timeout_fix,
    too_slow,
    why_it_failed,
)
from pqproxy.proxy.resumption import remembered_identity
from pqproxy.proxy.socket_options import Socket
from pqproxy.proxy.splice import Splice
from pqproxy.proxy.tls_duplex import TlsDuplex
from pqproxy.proxy.vigil import Vigils
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.proxy.withdrawal import Expiry, Withdrawal
from pqproxy.proxy.witness import Witness
from pqproxy.telemetry import log
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.labels import ConnectResult, Decision, HandshakeResult
from pqproxy.telemetry.reasons import EndReason, ReasonCode
from pqproxy.tls import KeyLog, Negotiated, TicketKeys

_log = logging.getLogger(__name__)

C = TypeVar("C")  # a client, as it came

# Takes one connection on: to its end, or None when it is joined. Raises Ended.
Steps = Coroutine[object, object, EndReason | None]


@dataclass(frozen=True, slots=True)
class Worker:
    """What all services of a worker use."""

    engine: Engine
    provider: Provider
    now: Callable[[], datetime]
    key_log: KeyLog | None = None
    workers: int = 1  # how many there are, of which this is one
    ticket_keys: TicketKeys = field(default_factory=TicketKeys)

    def clock(self) -> float:
        """The time as unix seconds."""
        return self.now().timestamp()


class Service:
    """One listener and everything that came in through it."""

    _judge: PeerJudge  # of its peers

    def __init__(
        self, settings: Ingress | Egress, worker: Worker, counters: ListenerCounters
    ) -> None:
        self.counters = counters
        self._name, self._timeouts, self._limits = settings.name, settings.timeouts, settings.limits
        self._demands = Demands(settings.profile, settings.groups, settings.authentication)
        self._worker, self._poller = worker, worker.engine.poller
        self._loop = worker.engine.poller.loop
        self.admission = Admission(settings.limits, worker.workers)
        self._overload = Overload(settings.name, counters)
        self._witness = Witness(settings.policy, counters.evidence)
        self._listeners: list[Listener] = []
        self._covered: dict[int, list[Listener]] = {}  # of other workers, by their place
        self._vigils = Vigils(settings.timeouts, self._loop)
        self._visits: dict[Visit, None] = {}  # open ones; the oldest is first
        self._withdrawal = Withdrawal(self._visits, self._loop)
        self._expiry: Expiry | None = None
        if settings.on_expiry is OnExpiry.CUT:
            self._expiry = Expiry(self._withdrawal, self._loop, worker.clock)

    # What the worker calls.

    def listen(self, sockets: list[socket.socket]) -> None:
        """Accept from these on."""
        for sock in sockets:
            # A socket that is one of several at its port is this worker's own.
            own = sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT)
            self._listeners.append(self._listener(sock, 0 if own else self._worker.workers - 1))

    def cover(self, place: int, sockets: list[socket.socket]) -> None:
        """Accept for the worker in another place, in turns with all others who serve."""
        others = max(0, self._worker.workers - 2)  # without us and that one
        self._covered[place] = [self._listener(sock, others) for sock in sockets]

    def uncover(self, place: int) -> None:
        """Leave who is in those queues to others."""
        for listener in self._covered.pop(place, ()):
            listener.let_go()

    def succeed(self, before: "Service") -> None:
        """Take the place of the service of this name: whoever it let in counts within our limits.

        That is all that is handed on. What else a service remembers goes with it.
        """
        self.admission = before.admission
        self.admission.limits = self._limits

    def forget_sessions(self) -> None:
        """Resume nothing that was begun before now: there was a reload."""

    def release(self, *, for_good: bool) -> list[Listener]:
        """Give up what it listens on, without closing it. Open connections go on.

        Queues of other workers' places are theirs again, unless nobody listens there `for_good`.
        """
        listeners, self._listeners = self._listeners, []
        if for_good:
            listeners += itertools.chain(*self._covered.values())
            self._covered.clear()
        for place in tuple(self._covered):
            self.uncover(place)
        return listeners

    def adopt(self, listeners: list[Listener]) -> None:
        """Go on with what another one listened on."""
        for listener in listeners:
            listener.redirect(self)
        self._listeners += listeners

    def see_out(self, listeners: list[Listener]) -> None:
        """Accept who is in the queue of these already, then close them."""
        for listener in listeners:
            listener.redirect(self)
            listener.close()

    def stop_listening(self) -> None:
        """Accept who is in the queue already, then no more."""
        for listener in (*self._listeners, *itertools.chain(*self._covered.values())):
            listener.close()
        self._listeners.clear()
        self._covered.clear()

    @property
    def visits(self) -> list[Visit]:
        """The open connections."""
        return list(self._visits)

    @property
    def clients(self) -> list[Visit]:
        """Those that are no tunnels."""
        return [visit for visit in self._visits if visit.link is None]

    @property
    def oldest(self) -> float | None:
        """When the oldest open connection came that is no tunnel (time.monotonic())."""
        visit = next((one for one in self._visits if one.link is None), None)
        return None if visit is None else visit.started

    @property
    def buffered(self) -> int:
        """Bytes that its tunnels hold."""
        links = (visit.link for visit in self._visits)
        return sum(link.buffered for link in links if link is not None)

    @property
    def trust(self) -> Trust | None:
        """Whom it believes."""
        return self._judge.trust

    def withdraw(self, revocations: Mapping[str, Revocations]) -> None:
        """Judge by what trust sets say today, also whoever is here already."""
        self._judge.follow(revocations)
        self._withdrawal.sweep(self._judge.recheck)

    def cut(self) -> None:
        """Reset every connection: the drain is over."""
        for visit in self.visits:
            if visit.splice is not None:
                visit.splice.cut(EndReason.DRAINED)
            else:  # in a later turn, so that a task that has not begun does begin, and cleans up
                self._loop.call_soon(_cut_unjoined, visit)

    def count_bytes(self) -> None:
        """Bring the counters up to date for connections that are still open."""
        for visit in self._visits:
            self._count(visit.splice)

    # What the two kinds do differently.

    def _serve(self, sock: Socket, visit: Visit) -> Steps | None:
        """Own the socket, do what needs no waiting, and return what is left. Raises Ended."""
        raise NotImplementedError  # each of the two kinds has its own

    def _one_less(self, visit: Visit) -> None:
        """That connection is not among the open ones any more."""

    def admit(self, source: str) -> Place | None:
        """A place for whoever connects; None: there is none. Its handshake is under way."""
        return self.admission.ask(source)

    def _listener(self, sock: socket.socket, others: int) -> Listener:
        return Listener(sock, self._poller, self, others)

    # The life of a connection.

    def welcome(self, sock: Socket, peer: str, place: Place) -> None:
        """Take a connection through its life."""
        visit = Visit(self._name, peer, place, time.monotonic())
        self.counters.opened()
        self._begin(visit, self._serve, sock)
        if visit.client is None:
            sock.close()

    def _begin(self, visit: Visit, serve: Callable[[C, Visit], Steps | None], client: C) -> None:
        """Take a connection as far as that needs no waiting; what is left gets a task."""
        self._visits[visit] = None
        try:
            left = serve(client, visit)
        except Exception as error:
            self._failed(visit, error)
            return
        if left is not None:
            visit.task = self._loop.create_task(self._live(visit, left))

    def turn_away(self, peer: str, source: str) -> None:
        """Count one that got no place; tell of it now and then."""
        self._overload.note(peer, self.admission.full(source))

    async def _live(self, visit: Visit, steps: Steps) -> None:
        try:
            end = await steps
        except asyncio.CancelledError:  # by who said so in `left`, or by `cut`
            self._over(visit, visit.left or EndReason.DRAINED)
        except Exception as error:
            self._failed(visit, error)
        else:
            if end is not None:
                self._over(visit, end)

    def _failed(self, visit: Visit, error: Exception) -> None:
        if isinstance(error, Ended):
            self._over(visit, error.end, error)
        else:
            _log.error("a connection failed inside the proxy", exc_info=error)
            self._over(visit, EndReason.INTERNAL_ERROR)

    def _over(self, visit: Visit, end: EndReason, ended: Ended | None = None) -> None:
        """It has ended: let go of everything, count it, tell of it."""
        del self._visits[visit]
        self._count(visit.splice)
        self._one_less(visit)
        for duplex in (visit.client, visit.upstream_side):
            if duplex is not None and not duplex.closed:
                duplex.abort(end)
        visit.place.leave()
        if ended is not None and end is EndReason.REFUSED:
            self.counters.decision(Decision.REFUSED, ended.reason)
        self.counters.closed(visit.transport, end)
        visit.depart()
        if visit.link is not None:  # a tunnel has told of itself
            return
        if not (visit.is_plain(ended) and log.leaves_out(end)):  # a line takes long to make
            log.write(visit.line(end, ended, time.monotonic()))

    async def _shake_hands(self, tls: TlsDuplex, visit: Visit) -> None:
        """Wait for the handshake; count it and write it down however it ends. Raises Ended."""
        visit.tls = tls
        try:
            negotiated = await self._handshake(tls, visit)
        except Ended as ended:
            self._witness.turned_away(visit, ended)
            raise
        visit.would_refuse = self._witness.let_in(visit, negotiated)
        decision = Decision.WOULD_REFUSE if visit.would_refuse else Decision.ACCEPTED
        self.counters.decision(decision, visit.would_refuse)
        self._stay_in_force(visit)

    def _stay_in_force(self, visit: Visit) -> None:
        """See that nothing that ends later is forgotten. Raises Ended for who is late already."""
        if visit.identity is None:
            return
        try:  # who resumed was nobody yet when the others were judged again
            self._judge.recheck(visit.identity)
        except Refused as refusal:
            raise Ended(EndReason.REVOKED, refusal.detail, refusal.reason, refusal.fix) from None
        if self._expiry is not None:
            self._expiry.watch(visit.identity.not_after)

    async def _handshake(self, tls: TlsDuplex, visit: Visit) -> Negotiated:
        started = time.monotonic()
        result = HandshakeResult.COMPLETED
        try:
            async with asyncio.timeout(self._timeouts.handshake) as deadline:
                visit.place.on_given_up(functools.partial(_end_now, deadline, self._loop))
                visit.negotiated = await tls.handshake
            return visit.negotiated
        except TimeoutError:
            result = HandshakeResult.TIMEOUT
            if visit.place.given_up:
                raise too_slow(self._limits) from None
            reason = ReasonCode.HANDSHAKE_TIMEOUT
            detail = f"the handshake was not done after {self._timeouts.handshake:g} s"
            fix = timeout_fix(tls.side)
            raise Ended(EndReason.HANDSHAKE_TIMEOUT, detail, reason, fix) from None
        except HandshakeFailed as error:
            result = handshake_result(error.failed)
            raise why_it_failed(error.failed, visit.refusal, tls.side, self._demands) from None
        except asyncio.CancelledError:
            result = HandshakeResult.PEER_LEFT if visit.refusal is None else HandshakeResult.REFUSED
            raise
        finally:
            visit.place.handshake_over()
            self._count_handshake(visit, result, time.monotonic() - started)

    def _count_handshake(self, visit: Visit, result: HandshakeResult, seconds: float) -> None:
        negotiated = visit.negotiated
        group, resumed = None, False
        if negotiated is not None:
            group, resumed = negotiated.group_name, negotiated.resumed
            if resumed:  # nobody judged a chain: the session says who it is
                visit.identity = remembered_identity(negotiated.authentication)
            visit.own_signature = negotiated.signature_name
            visit.peer_signature = negotiated.peer_signature_name
        self.counters.handshake(
            group, visit.own_signature, visit.peer_signature, resumed, result, seconds
        )

    def _stay_for(self, duplex: Duplex, visit: Visit) -> None:
        """From here on the task ends as soon as this side goes. Raises Ended if it has gone."""
        check_presence(duplex)
        duplex.attach(Attendance(visit))

    async def _dial(self, address: Address | Endpoint, visit: Visit) -> Socket:
        """Connect to the upstream. Raises Ended; success is counted by `_reached`."""
        visit.upstream = str(address)
        visit.dialled = time.monotonic()
        patience = self._timeouts.connect
        try:
            if isinstance(address, Endpoint):
                return await dial_endpoint(address, patience, self._poller)
            return await dial(address, patience, self._poller)
        except DialFailed as failure:
            raise self._unreached(visit, failure) from None

    def _unreached(self, visit: Visit, failure: DialFailed) -> Ended:
        self._reached(visit, failure.result)
        return Ended(EndReason.UPSTREAM_DOWN, str(failure), ReasonCode.UPSTREAM_DOWN)

    def _reached(self, visit: Visit, result: ConnectResult = ConnectResult.CONNECTED) -> None:
        self.counters.upstream_connect(result, time.monotonic() - visit.dialled)

    def _join(self, client: Duplex, upstream: Duplex, visit: Visit) -> None:
        """Let bytes flow until both sides are gone. The steps of the connection are done."""
        visit.task = None
        visit.splice = Splice(client, upstream, self._vigils, functools.partial(self._over, visit))

    def _count(self, splice: Splice | None) -> None:
        """Bring the counters up to date for one connection."""
        if splice is not None:
            self.counters.carried(*splice.take_uncounted())


def _cut_unjoined(visit: Visit) -> None:
    if visit.splice is not None:  # in the meantime it was
        visit.splice.cut(EndReason.DRAINED)
    elif visit.task is not None:
        visit.task.cancel()


def _end_now(deadline: asyncio.Timeout, loop: asyncio.AbstractEventLoop) -> None:
    if not deadline.expired():  # its time may be up already, and the task not have heard of it
        deadline.reschedule(loop.time())
