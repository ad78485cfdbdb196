"""All tunnels of one egress listener: which ought to exist, and which one a new stream takes.

Whoever carries it out says what happened (`resolved`, `up`, `failed`, `lost`, ...), asks after each
of these and when `Orders.wake` has come what is to be done (`orders`), and does all of it. A peer
is a set of endpoints: each name has addresses, at most `MOST_ADDRESSES`, and at least one tunnel to
each. Nothing is retired before what replaces it is up, unless a certificate ended.

An endpoint that speaks TLS but no tunnels takes part: its streams go by connections of their own.
It must not know what a name, an address or a tunnel is; an address that two names share is two
endpoints, so it takes whatever tells them apart for an address. No two of its calls overlap.
"""

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from pqproxy.tunnel.endpoint import (
    LONGEST_WAIT,
    LONGEST_WAIT_AFTER_REFUSAL,
    Endpoint,
    Parting,
    Partings,
    Plan,
    Random,
    T,
    Trouble,
    back_off,
)

MOST_ADDRESSES = 64  # of one name that are used
RESOLVE_EVERY = 30.0  # seconds, 10 % more or less
REMEMBER_PLAIN = 600.0  # seconds until a server that speaks no tunnels is asked again

N = TypeVar("N", bound=Hashable)
A = TypeVar("A", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Orders(Generic[N, A, T]):
    """What is to be done now, all of it, and when to ask again."""

    resolve: list[N]
    dial: list[A]
    retire: Partings[T]
    wake: float  # infinity: when something has happened


class Choice(NamedTuple, Generic[A, T]):
    """Where a new stream goes: into a tunnel, or by a connection of its own to a plain server."""

    address: A
    tunnel: T | None


@dataclass(slots=True)
class _Name(Generic[A]):
    addresses: list[A] = field(default_factory=list)  # of its last good resolution
    resolve_at: float = -math.inf
    failures: int = 0
    resolving: bool = False
    known: bool = False  # some resolution ended, well or not
    why: Trouble | None = None  # the last one failed


class Fleet(Generic[N, A, T]):
    """Decides; does nothing itself."""

    def __init__(self, names: Sequence[N], plan: Plan, random: Random) -> None:
        self._plan, self._random = plan, random
        self._names: dict[N, _Name[A]] = {name: _Name() for name in names}
        self._endpoints: dict[A, Endpoint[T]] = {}
        self._owner: dict[A, N] = {}
        self._home: dict[T, A] = {}
        self._turns: dict[A | T, int] = {}  # when each was chosen last
        self._turn = 0

    # What happened to names.

    def resolved(self, name: N, addresses: Sequence[A], now: float, lasting: bool = False) -> bool:
        """Go by these addresses. True: it had failed before. `lasting`: they never change."""
        entry = self._names[name]
        # Those in use first: what a server of names leaves out or adds at random is no change.
        found = dict.fromkeys(addresses)
        used = [one for one in entry.addresses if one in found]
        entry.addresses = list(dict.fromkeys([*used, *found]))[:MOST_ADDRESSES]
        for address in entry.addresses:
            if address not in self._endpoints:
                self._endpoints[address] = Endpoint(self._plan, self._random)
                self._owner[address] = name
        current = set(entry.addresses)
        for address, owner in self._owner.items():
            if owner == name:
                self._endpoints[address].gone = address not in current
        wait = RESOLVE_EVERY * (0.9 + self._random() / 5)
        entry.resolve_at = math.inf if lasting else now + wait
        entry.resolving, entry.known, entry.failures = False, True, 0
        failed_before, entry.why = entry.why is not None, None
        return failed_before

    def unresolved(self, name: N, why: Trouble, now: float) -> bool:
        """Keep the last addresses. True: it had not failed before."""
        entry = self._names[name]
        entry.failures += 1
        wait = back_off(entry.failures, LONGEST_WAIT_AFTER_REFUSAL, self._random)
        entry.resolving, entry.known, entry.resolve_at = False, True, now + wait
        first, entry.why = entry.why is None, why
        return first

    # What happened to endpoints.

    def up(self, address: A, tunnel: T, instance: int, ends_at: float, now: float) -> bool:
        """A dial made a tunnel, good until `ends_at`. True: the endpoint was ejected before."""
        endpoint = self._endpoints[address]
        was_out, endpoint.dialling = endpoint.why is not None, False
        endpoint.up(tunnel, instance, ends_at, now)
        self._home[tunnel] = address
        return was_out

    def plain(self, address: A, now: float) -> bool:
        """A dial found a server that speaks no tunnels. True: it was ejected before."""
        endpoint = self._endpoints[address]
        was_out, endpoint.dialling = endpoint.why is not None, False
        endpoint.plain(now + REMEMBER_PLAIN)
        return was_out

    def failed(self, address: A, why: Trouble, now: float, refused: bool = False) -> bool:
        """A dial came to nothing. True: the endpoint is ejected by that, and was not before.

        `refused`: somebody answered, and one of the two refused the other.
        """
        self._endpoints[address].dialling = False
        return self._eject(address, why, now, refused)

    def vanished(self, address: A, why: Trouble, now: float, refused: bool = False) -> bool:
        """A dial found somebody, who left without a word. True: as for `failed`."""
        endpoint = self._endpoints[address]
        was_out, endpoint.dialling = endpoint.why is not None or endpoint.gone, False
        endpoint.vanished(now, why, LONGEST_WAIT_AFTER_REFUSAL if refused else LONGEST_WAIT)
        return not was_out and endpoint.why is not None

    def plain_failed(self, address: A, why: Trouble, now: float, refused: bool = False) -> bool:
        """A connection without a tunnel came to nothing. True: as for `failed`."""
        return self._eject(address, why, now, refused)

    def _eject(self, address: A, why: Trouble, now: float, refused: bool) -> bool:
        endpoint = self._endpoints[address]
        first = endpoint.why is None and not endpoint.gone
        endpoint.failed(now, why, LONGEST_WAIT_AFTER_REFUSAL if refused else LONGEST_WAIT)
        return first

    # What happened to tunnels. Of those that were retired nothing is asked any more.

    def going_away(self, tunnel: T, now: float) -> None:
        """The other end takes no more streams by it."""
        address = self._forget(tunnel)
        if address is not None:
            self._endpoints[address].going_away(tunnel, now)

    def lost(self, tunnel: T, why: Trouble, now: float, broken: bool = False) -> bool:
        """It is closed; `broken`: for breaking the rules. True: its endpoint is ejected by that."""
        address = self._forget(tunnel)
        if address is None:
            return False
        endpoint = self._endpoints[address]
        was_out = endpoint.why is not None or endpoint.gone
        endpoint.lost(tunnel, now, why, broken)
        return not was_out and endpoint.why is not None

    def _forget(self, tunnel: T) -> A | None:
        self._turns.pop(tunnel, None)
        return self._home.pop(tunnel, None)

    # What to do.

    def orders(self, now: float) -> Orders[N, A, T]:
        """What is to be done at this time. Each order is given once."""
        retire = [*self._ended(now), *self._spare(), *self._left_behind()]
        for tunnel, _ in retire:
            self._forget(tunnel)
        self._drop_strangers(now)
        resolve, dial = [], []
        for name, entry in self._names.items():
            if not entry.resolving and entry.resolve_at <= now:
                entry.resolving = True
                resolve.append(name)
        for address, endpoint in self._endpoints.items():
            if endpoint.next_dial(self._alone(address)) <= now:
                endpoint.dial(now)
                dial.append(address)
        return Orders(resolve, dial, retire, min(self._moments(), default=math.inf))

    def disband(self) -> Partings[T]:
        """Everything is to be retired: nothing is asked of it any more."""
        retire = [each for one in self._endpoints.values() for each in one.take_all()]
        for tunnel, _ in retire:
            self._forget(tunnel)
        return retire

    def _moments(self) -> Iterator[float]:
        for entry in self._names.values():
            if not entry.resolving:
                yield entry.resolve_at
        for address, endpoint in self._endpoints.items():
            yield endpoint.next_age()
            yield endpoint.next_dial(self._alone(address))

    def _ended(self, now: float) -> Iterator[tuple[T, Parting]]:
        for endpoint in self._endpoints.values():
            yield from endpoint.take_ended(now)
            endpoint.look_at_ages(now)

    def _spare(self) -> Iterator[tuple[T, Parting]]:
        for address, endpoint in self._endpoints.items():
            if not endpoint.gone:
                yield from endpoint.take_spare(self._alone(address))

    def _left_behind(self) -> Iterator[tuple[T, Parting]]:
        """Tunnels to addresses that no name has any more, as soon as another one is up."""
        if any(one.serves and not one.gone for one in self._endpoints.values()):
            for endpoint in self._endpoints.values():
                if endpoint.gone:
                    yield from endpoint.take_all()

    def _drop_strangers(self, now: float) -> None:
        for address, one in list(self._endpoints.items()):
            used = one.tunnels or one.dialling or one.others
            # While it is ejected it stays: its name may have it again in a moment.
            if one.gone and not used and one.not_before <= now:
                del self._endpoints[address], self._owner[address]
                self._turns.pop(address, None)

    def _alone(self, address: A) -> bool:
        return len(self._names[self._owner[address]].addresses) == 1

    # Where streams go.

    def choose(self) -> Choice[A, T] | None:
        """Where a stream goes now: fewest unsent bytes, then fewest streams, then in turns."""
        if len(self._endpoints) == 1:
            ((address, endpoint),) = self._endpoints.items()
            if len(endpoint.tunnels) == 1 and endpoint.plain_until is None:
                (tunnel,) = endpoint.tunnels
                return Choice(address, tunnel) if tunnel.takes_streams else None
        return self._weigh()

    def _weigh(self) -> Choice[A, T] | None:
        best: Choice[A, T] | None = None
        least = (math.inf, 0, 0)
        for address, endpoint in self._endpoints.items():
            for tunnel in endpoint.tunnels:
                if not tunnel.takes_streams:
                    continue
                load = (tunnel.unsent, tunnel.streams, self._turns.get(tunnel, 0))
                if load < least:
                    best, least = Choice(address, tunnel), load
            if endpoint.serves and endpoint.plain_until is not None and not endpoint.gone:
                load = (0, endpoint.others, self._turns.get(address, 0))
                if load < least:
                    best, least = Choice(address, None), load
        if best is not None:
            self._turn += 1
            self._turns[best.address if best.tunnel is None else best.tunnel] = self._turn
        return best

    def plain_opened(self, address: A) -> None:
        """A stream goes there by a connection of its own."""
        self._endpoints[address].others += 1

    def plain_closed(self, address: A) -> None:
        """That one ended."""
        self._endpoints[address].others -= 1

    @property
    def hopeful(self) -> bool:
        """Whether waiting makes sense where nothing can be chosen: somebody has yet to answer."""
        return any(not name.known for name in self._names.values()) or any(
            one.why is None and not one.gone and not one.serves for one in self._endpoints.values()
        )

    def troubles(self) -> Iterator[Trouble]:
        """What is wrong with each name that cannot be resolved and each ejected endpoint."""
        for name in self._names.values():
            if name.why is not None:
                yield name.why
        for endpoint in self._endpoints.values():
            if endpoint.why is not None and not endpoint.gone:
                yield endpoint.why

    @property
    def endpoints(self) -> Mapping[A, Endpoint[T]]:
        """Every one that it remembers anything of."""
        return self._endpoints
