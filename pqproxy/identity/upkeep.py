"""Keeping a directory of certificates good: what is due, and when to look again.

One turn does what is due at a moment. Whatever fails is said, tried again later and later, and
keeps nothing else from being done.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from cryptography import x509

from pqproxy.identity.authority import open_authority, roots
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.files import read
from pqproxy.identity.leaves import Leaf, find_leaves, leaf_names
from pqproxy.identity.names import MALFORMED
from pqproxy.identity.renewing import RenewalOptions, renew, renewal_due, two_thirds
from pqproxy.identity.revoking import is_revoked, list_path, refresh_due, revoke

# Often enough to notice new leaves, a clock that was set, and a machine that slept.
LOOK_AGAIN = timedelta(hours=1)
_SHORTEST_WAIT = timedelta(seconds=1)
_FIRST_DELAY, _LONGEST_DELAY = timedelta(minutes=1), timedelta(hours=1)

# Does one thing if it is due at a moment; returns whether it was, and when it is due again.
Task = Callable[[datetime], tuple[bool, datetime]]


@dataclass(frozen=True, slots=True)
class Done:
    """One thing that was due and is done, or could not be: then `error` says why."""

    what: str  # a name, or the file of a revocation list
    due: datetime  # when again
    error: IdentityError | None = None


@dataclass(slots=True)
class _Failure:
    count: int
    next_try: datetime


@dataclass(slots=True)
class Upkeep:
    """What is looked after: leaves whose keys are here, and the revocation lists beside them."""

    directory: Path
    names: tuple[str, ...] = ()  # empty: every leaf there is, each time anew
    algorithm: str | None = None
    options: RenewalOptions = field(default_factory=RenewalOptions)
    _failures: dict[str, _Failure] = field(default_factory=dict)

    def turn(self, now: datetime) -> tuple[list[Done], datetime]:
        """Do what is due; return what was done, and when something may be due again."""
        done: list[Done] = []
        wake = now + LOOK_AGAIN
        for what, task in self._tasks():
            failure = self._failures.get(what)
            if failure is not None and now < failure.next_try:
                due = failure.next_try
            else:
                due = self._attempt(what, task, now, done)
            wake = min(wake, due)
        return done, max(wake, now + _SHORTEST_WAIT)

    def _tasks(self) -> Iterator[tuple[str, Task]]:
        for name in self.names or leaf_names(self.directory):
            yield name, partial(self._renew, name)
        for root in roots(self.directory):
            if list_path(root).exists():
                yield str(list_path(root)), partial(self._refresh, root)

    def _attempt(self, what: str, task: Task, now: datetime, done: list[Done]) -> datetime:
        """Do one thing if it is due; return when it is due again."""
        try:
            acted, due = task(now)
        except (IdentityError, OSError, *MALFORMED) as failure:
            error = _told(failure)
            before = self._failures.get(what)
            count = before.count + 1 if before else 1
            due = now + min(_FIRST_DELAY * (1 << min(count - 1, 10)), _LONGEST_DELAY)
            self._failures[what] = _Failure(count, due)
            done.append(Done(what, due, error))
            return due
        self._failures.pop(what, None)
        if acted:
            done.append(Done(what, due))
        return due

    def _renew(self, name: str, now: datetime) -> tuple[bool, datetime]:
        leaves = self._leaves(name, now)
        due = _soonest(leaves, now)
        if not leaves or due > now:
            return False, due
        # Those of one name together, where each has lived long enough.
        ripe = [leaf for leaf in leaves if two_thirds(leaf.certificate) <= now]
        renew(self.directory, ripe, now=now, options=self.options)
        return True, _soonest(self._leaves(name, now), now)

    def _leaves(self, name: str, now: datetime) -> list[Leaf]:
        found = find_leaves(self.directory, name, self.algorithm)
        # Signed here for another machine: not ours to renew, unless somebody said so by name.
        ours = [leaf for leaf in found if self.names or leaf.files.key.exists()]
        # A new certificate of the same name would take a revocation back, unasked.
        return [
            leaf
            for leaf in ours
            if two_thirds(leaf.certificate) > now
            or not is_revoked(self.directory, leaf.certificate)
        ]

    def _refresh(self, root: Path, now: datetime) -> tuple[bool, datetime]:
        path = list_path(root)
        try:
            there = x509.load_pem_x509_crl(read(path))
            due = refresh_due(there)
        except MALFORMED as error:
            raise IdentityError(f"{path} does not parse: {error}") from None
        if due > now:
            return False, due
        lifetime = (there.next_update_utc or now) - there.last_update_utc
        made = revoke(
            open_authority(self.directory, root.parent.name, self.options.passphrase),
            now=now,
            days=max(lifetime.days, 1),
        )
        return True, now + (made.next_update - now) * 2 / 3


def _told(failure: Exception) -> IdentityError:
    return failure if isinstance(failure, IdentityError) else IdentityError(str(failure))


def _soonest(leaves: list[Leaf], now: datetime) -> datetime:
    return min((renewal_due(leaf.certificate) for leaf in leaves), default=now + LOOK_AGAIN)
