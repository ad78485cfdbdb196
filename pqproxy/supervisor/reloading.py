"""Reads the configuration again and puts it in force, as a whole or not at all.

    read and check everything -> bind what is new -> all workers get ready -> all change
                 |                      |                      |
                 +----------- a problem: all stays as it is ---+

One at a time; who asks meanwhile waits for his turn. Where files have changed, only they are read,
and the configuration in force stays. What nobody asked for and changes nothing leaves no trace.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pqproxy.config.environment import policy_warnings
from pqproxy.config.values import Settings
from pqproxy.supervisor.believed_again import believed_again
from pqproxy.supervisor.binding import Bound
from pqproxy.supervisor.changes import Changes, changes
from pqproxy.supervisor.crew import Crew
from pqproxy.supervisor.errors import ReloadFailure, StartFailure
from pqproxy.supervisor.exchange import Exchange, ExchangeFailed, exchange
from pqproxy.supervisor.notify import Notifier
from pqproxy.supervisor.reading import Readings
from pqproxy.supervisor.rebinding import Rebinding
from pqproxy.supervisor.reminders import Reminders
from pqproxy.telemetry import log

logger = logging.getLogger(__name__)

NO_CHANGES = Changes()


class Kind(StrEnum):
    """Who asked."""

    SIGNAL = "signal"
    CONTROL = "control"
    FILES = "files"  # nobody: certificates, keys or roots have changed


_OCCASIONS = {
    Kind.SIGNAL: "SIGHUP",
    Kind.CONTROL: "request",
    Kind.FILES: "a change of files",
}


class Result(StrEnum):
    """What became of it."""

    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One reload."""

    kind: Kind
    at: float  # time.time()
    changes: Changes = NO_CHANGES
    problems: tuple[str, ...] = ()  # a line each; then nothing was changed
    mistaken: bool = False  # the configuration is what is wrong

    @property
    def result(self) -> Result:
        """Whether the configuration as it was read is in force."""
        return Result.FAILURE if self.problems else Result.SUCCESS

    def document(self) -> dict[str, Any]:
        """As JSON can carry it."""
        told = {
            "kind": self.kind,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(),
            "result": self.result,
            "problems": self.problems,
        }
        if self.problems:
            return told | {"error": "the reload failed, nothing is changed"}
        return told | {"summary": str(self.changes), "changes": self.changes.document()}


@dataclass(slots=True, eq=False)
class History:
    """What became of all reloads of this run, for metrics and status."""

    last_success: float  # time.time(); the start of the run was the first
    counts: dict[tuple[Kind, Result], int] = field(
        default_factory=lambda: {(kind, result): 0 for kind in Kind for result in Result}
    )
    last: Outcome | None = None

    def add(self, outcome: Outcome) -> None:
        """Remember one."""
        self.last = outcome
        self.counts[outcome.kind, outcome.result] += 1
        if outcome.result is Result.SUCCESS:
            self.last_success = outcome.at

    def has_news(self, outcome: Outcome) -> bool:
        """Whether it changed something, or failed, or failed no more, otherwise than the last."""
        last = self.last
        troubled = () if last is None or last.kind is not outcome.kind else last.problems
        return bool(outcome.changes) or outcome.problems != troubled


class Reloader:
    """Reloads one run."""

    def __init__(
        self,
        crew: Crew,
        bound: Bound,
        readings: Readings,
        notifier: Notifier,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.history = History(clock())
        self.reminders = Reminders(crew.in_force, clock)
        self._crew, self._bound = crew, bound
        self._readings, self._notifier, self._clock = readings, notifier, clock
        self._turn = asyncio.Lock()
        self._signalled = asyncio.Event()
        self.reread = (
            asyncio.Event()
        )  # set by each reload that was asked for: other files may count
        self._number = 0

    def signal(self) -> None:
        """Reload soon; asked several times before that, once."""
        self._signalled.set()

    async def follow_signals(self) -> None:
        """Reload whenever `signal` was called, until cancelled."""
        while True:
            await self._signalled.wait()
            self._signalled.clear()
            await self.reload(Kind.SIGNAL)

    async def reload(self, kind: Kind) -> Outcome:
        """Reload, and say in the log and to the caller what became of it."""
        async with self._turn:
            if not self._crew.draining:
                self._notifier.reloading()
            outcome = await self._attempt(kind)
            if not self._crew.draining:  # else it is told that we leave
                self._notifier.ready(f"serving {', '.join(self._crew.in_force.settings.roles)}")
        self.history.add(outcome)
        self._tell(outcome)
        self.reread.set()
        return outcome

    async def renew(self) -> Outcome:
        """Reload files that may have changed. What is nothing new is neither told nor counted."""
        async with self._turn:
            outcome = await self._attempt(Kind.FILES)
        if self.history.has_news(outcome):
            self.history.add(outcome)
            self._tell(outcome)
        elif outcome.result is Result.SUCCESS:
            self.history.last_success = outcome.at
        return outcome

    async def _attempt(self, kind: Kind) -> Outcome:
        problems: tuple[str, ...]
        try:
            return Outcome(kind, self._clock(), await self._change(kind))
        except ReloadFailure as failure:
            return Outcome(kind, self._clock(), problems=failure.problems, mistaken=True)
        except ExchangeFailed as failure:
            problems = failure.reasons
        except StartFailure as failure:
            problems = (f"{failure.message} ({failure.hint})" if failure.hint else failure.message,)
        except Exception as error:  # what is in force serves on, whatever is wrong with the new
            logger.exception("a reload failed inside pqproxy")
            problems = (f"internal error: {error!r}",)
        return Outcome(kind, self._clock(), problems=problems)

    async def _change(self, kind: Kind) -> Changes:
        if self._crew.draining:
            raise ExchangeFailed(["pqproxy is draining: nothing is reloaded any more"])
        before, readings = self._crew.in_force.settings, self._readings
        read = readings.files if kind is Kind.FILES else readings.configuration
        reading = await asyncio.to_thread(read)
        after = reading.settings
        found = changes(before, after)
        if found:
            await self._put_in_force(before, after)
        else:
            self._crew.in_force.replace(after)  # who says a policy is shown, and changes nothing
        readings.in_force = reading
        return found

    async def _put_in_force(self, before: Settings, after: Settings) -> None:
        sockets = Rebinding(self._bound, before, after)

        def commit() -> None:
            sockets.commit()
            self._crew.in_force.replace(after)

        self._number += 1
        try:
            await exchange(self._crew, Exchange(self._number, after, sockets), commit)
        finally:
            sockets.abandon()  # nothing is left of it after a commit
        for warning in believed_again(before, after):
            logger.warning("%s", warning)
        if before.log != after.log:
            log.configure(after.log.format, after.log.connections)

    def _tell(self, outcome: Outcome) -> None:
        asked = _OCCASIONS[outcome.kind]
        if outcome.result is Result.SUCCESS:
            logger.info("reloaded on %s: %s", asked, outcome.changes)
            if outcome.changes:
                self._warn()
            return
        if outcome.kind is Kind.FILES:  # half-written ones are nothing special: a line says it
            why = "; ".join(outcome.problems)
            logger.error("renewed files are not taken, what is in force stays: %s", why)
            return
        count = len(outcome.problems)
        logger.error("reload on %s failed, nothing is changed; problems: %d", asked, count)
        for problem in outcome.problems:
            logger.error("reload: %s", problem)

    def _warn(self) -> None:
        for warning in policy_warnings(self._crew.in_force.settings):
            logger.warning("%s", warning)
        self.reminders.tell()
