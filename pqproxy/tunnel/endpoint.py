"""One address that tunnels are dialled to: what it has, what it lacks, and since when it is out.

The rules that need no other endpoint live here: how many tunnels there ought to be, which of them
are to be replaced, how long a failure keeps everybody from dialling again. `fleet.py` has the rest.
Times are seconds of the fleet's clock. It must not know what an address or a tunnel is.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Generic, Protocol, TypeVar

FIRST_WAIT = 0.2  # seconds, about, after a first failure; it doubles with each one more
# Who does not answer costs a packet to ask, and may be back any moment.
LONGEST_WAIT = 2.0
# Who answers and is refused, or refuses, cost both sides a handshake, and somebody has to act.
LONGEST_WAIT_AFTER_REFUSAL = 5.0
STABLE = 10.0  # seconds that a tunnel must live to prove that its endpoint works
_MOST_DOUBLINGS = 16

AGE_SPREAD = 0.1  # of max_age, to either side: tunnels that began together do not end together
EXPIRY_MARGIN = 60.0  # seconds before a certificate ends, or a tenth of what is left of it
SOONEST_REPLACEMENT = 1.0  # also where certificates live for seconds

Random = Callable[[], float]  # of [0, 1)


class Tunnel(Protocol):
    """What decides which tunnel a new stream takes."""

    @property
    def takes_streams(self) -> bool:
        """Whether it takes one more now."""

    @property
    def unsent(self) -> int:
        """Bytes that wait to leave."""

    @property
    def streams(self) -> int:
        """How many are open."""


T = TypeVar("T", bound=Tunnel)


class Parting(Enum):
    """Why a tunnel is to take no more streams."""

    REPLACED = "replaced"  # its successor is up
    SPARE = "spare"  # there are enough, or its address is gone
    ENDED = "ended"  # a certificate of its handshake ended


Partings = list[tuple[T, Parting]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why an endpoint is ejected, or a name has no addresses."""

    detail: str  # what happened, with the name of what it happened to
    reason: str  # what that is called
    fix: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What an egress wants of each endpoint."""

    count: int = 1  # tunnels to an address, at least
    max_age: float | None = 3600.0  # seconds; None: as long as the certificates last
    spread: int = 4  # instances to look for behind an address that is a name's only one


@dataclass(slots=True)
class Life:
    """One tunnel that takes streams."""

    instance: int  # of the worker at the other end
    since: float
    replace_at: float
    ends_at: float  # when the first certificate of either side ends
    due: bool = False  # its successor is wanted


def back_off(failures: int, longest: float, random: Random) -> float:
    """Seconds to wait after so many failures in a row, with jitter: half of it up to all of it."""
    wait: float = min(longest, FIRST_WAIT * 2 ** min(failures - 1, _MOST_DOUBLINGS))
    return wait * (0.5 + random() / 2)


class Endpoint(Generic[T]):
    """One address of one name."""

    __slots__ = (
        "_dialled_at",
        "_failures",
        "_plan",
        "_random",
        "_short_lived_at",
        "_tries",
        "dialling",
        "gone",
        "not_before",
        "others",
        "plain_until",
        "tunnels",
        "why",
    )

    def __init__(self, plan: Plan, random: Random) -> None:
        self._plan, self._random = plan, random
        self.tunnels: dict[T, Life] = {}  # that take streams, the oldest first
        self.dialling = False
        self.gone = False  # its name does not have this address any more
        self.not_before = -math.inf  # no dial before this
        self.why: Trouble | None = None  # it is ejected, and this is what happened
        self.plain_until: float | None = None  # it speaks TLS, but no tunnels; asked again then
        self.others = 0  # connections there that are no tunnel's
        self._failures = 0  # in a row
        self._dialled_at = -math.inf
        self._short_lived_at: float | None = None  # when the last loss was, of one that was young
        self._tries = 0  # dials since instances were last looked for

    # What happened.

    def dial(self, now: float) -> None:
        """A dial begins."""
        self.dialling, self._dialled_at = True, now
        self._tries += 1

    def up(self, tunnel: T, instance: int, ends_at: float, now: float) -> None:
        """A dial made a tunnel."""
        self.why = self.plain_until = None
        self.tunnels[tunnel] = Life(instance, now, self._replacement(ends_at, now), ends_at)

    def plain(self, until: float) -> None:
        """A dial found a server that is not one of ours."""
        self.why, self.plain_until = None, until
        self._succeeded()

    def failed(self, now: float, why: Trouble, longest: float) -> None:
        """A dial, or a connection without a tunnel, came to nothing: the address is ejected."""
        self.why = why
        self._wait(now, longest)

    def vanished(self, now: float, why: Trouble, longest: float) -> None:
        """A dial found somebody, who left without a word.

        A worker that is killed leaves so, and others may answer there.
        """
        if self.why is not None or self._is_second_loss(self._dialled_at):
            self.failed(now, why, longest)
        else:
            self._short_lived_at = now
            self._wait(now, longest)

    def _is_second_loss(self, since: float) -> bool:
        """Whether one that began then was lost for another reason than the one before: two that
        were there together may have had one end."""
        return self._short_lived_at is not None and since >= self._short_lived_at

    def lost(self, tunnel: T, now: float, why: Trouble, broken: bool) -> None:
        """A tunnel is gone.

        One that broke the rules speaks for its endpoint, and so do two in a row that lived for a
        moment only; after one of these somebody else may answer there already.
        """
        life = self.tunnels.pop(tunnel)
        self._tries = 0
        if broken or (now - life.since < STABLE and self._is_second_loss(life.since)):
            self.failed(now, why, LONGEST_WAIT_AFTER_REFUSAL)
        elif now - life.since < STABLE:
            self._short_lived_at = now
            self._wait(now, LONGEST_WAIT)
        elif self.why is None:
            self._succeeded()

    def going_away(self, tunnel: T, now: float) -> None:
        """A tunnel takes no more streams. That is no failure, but never a reason to dial madly."""
        life = self.tunnels.pop(tunnel)
        self._tries = 0
        if now - life.since < STABLE:
            self._wait(now, LONGEST_WAIT)
        elif self.why is None:
            self._succeeded()

    def _succeeded(self) -> None:
        self._failures, self.not_before = 0, -math.inf
        self._short_lived_at = None

    def _wait(self, now: float, longest: float) -> None:
        self._failures += 1
        wait = back_off(self._failures, longest, self._random)
        self.not_before = max(self.not_before, now + wait)

    def _replacement(self, ends_at: float, now: float) -> float:
        age = math.inf
        if self._plan.max_age is not None:
            age = self._plan.max_age * (1 - AGE_SPREAD + 2 * AGE_SPREAD * self._random())
        left = ends_at - now
        margin = 0.0 if left == math.inf else min(EXPIRY_MARGIN, left / 10)
        return now + max(min(age, left - margin), SOONEST_REPLACEMENT)

    # What there ought to be.

    @property
    def serves(self) -> bool:
        """Whether a stream can go there now."""
        return bool(self.tunnels) or (self.plain_until is not None and self.why is None)

    def next_dial(self, alone: bool) -> float:
        """When to dial; infinity: nothing is lacking. `alone`: its name has no other address."""
        if self.dialling or self.gone:
            return math.inf
        if self.why is None and self.plain_until is not None:
            return self.plain_until
        return self.not_before if self.why is not None or self._lacks(alone) else math.inf

    def look_at_ages(self, now: float) -> None:
        """Mark what is to be replaced. Its successors may be others than were here before."""
        for life in self.tunnels.values():
            if not life.due and life.replace_at <= now:
                life.due, self._tries = True, 0

    def next_age(self) -> float:
        """When a tunnel is to be replaced, or ends."""
        ages = (
            one.ends_at if one.due else min(one.replace_at, one.ends_at)
            for one in self.tunnels.values()
        )
        return min(ages, default=math.inf)

    def take_ended(self, now: float) -> Partings[T]:
        """Remove and return what is allowed no longer."""
        ended = [one for one, life in self.tunnels.items() if life.ends_at <= now]
        return self._take(ended, Parting.ENDED)

    def take_spare(self, alone: bool) -> Partings[T]:
        """Remove and return what is not needed any more: never what nothing has replaced yet."""
        # One of each instance before a second one of any; among equals the oldest.
        repeats = self._repeats()
        best = sorted(repeats, key=repeats.__getitem__)
        spare = self._take(best[self._wanted(alone) :], Parting.SPARE)
        replaced = self.plain_until is not None or not self._lacks(alone)
        if not replaced or self.why is not None or self.dialling:
            return spare
        due = [one for one, life in self.tunnels.items() if life.due]
        return [*spare, *self._take(due, Parting.REPLACED)]

    def take_all(self) -> Partings[T]:
        """Remove and return everything."""
        return self._take(list(self.tunnels), Parting.SPARE)

    def _take(self, tunnels: list[T], why: Parting) -> Partings[T]:
        for tunnel in tunnels:
            del self.tunnels[tunnel]
        return [(tunnel, why) for tunnel in tunnels]

    def _wanted(self, alone: bool) -> int:
        return max(self._plan.count, min(self._instances(), self._plan.spread) if alone else 0)

    def _lacks(self, alone: bool) -> bool:
        if sum(not life.due for life in self.tunnels.values()) < self._plan.count:
            return True
        spread = self._plan.spread
        return alone and self._instances() < spread and self._tries < 2 * spread

    def _instances(self) -> int:
        return len({life.instance for life in self.tunnels.values() if not life.due})

    def _repeats(self) -> dict[T, int]:
        """For each tunnel that is not to be replaced, how many older ones have its instance."""
        seen: dict[int, int] = {}
        repeats = {}
        for tunnel, life in self.tunnels.items():
            if not life.due:
                repeats[tunnel] = seen.get(life.instance, 0)
                seen[life.instance] = repeats[tunnel] + 1
        return repeats
