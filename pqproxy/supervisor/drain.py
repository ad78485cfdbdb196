"""The end of a run, in steps, so that no stream is cut that could have ended by itself.

    begin -> not ready, still accepting -> `delay` -> no more connections -> `timeout` -> reset

The delay is for balancers, which take a while to learn that we are not ready: until then they send
connections here. Whoever asks again can only hasten the end.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pqproxy.supervisor.crew import Crew, Drained

ACCEPTING, FINISHING, OVER = "accepting", "finishing", "over"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a drain is."""

    phase: str  # accepting | finishing | over
    connections: int  # still open
    oldest: float | None  # seconds since the oldest of them came
    left: float  # seconds until the phase ends at the latest
    drained: Drained | None = None  # once it is over

    def as_json(self) -> dict[str, Any]:
        """For the control listener."""
        shown: dict[str, Any] = {
            "phase": self.phase,
            "connections": self.connections,
            "oldest_seconds": None if self.oldest is None else round(self.oldest, 3),
            "seconds_left": round(self.left, 3),
        }
        if self.drained is not None:
            shown |= {"finished": self.drained.finished, "reset": self.drained.reset}
        return shown


class Drain:
    """Takes a crew out of service, once."""

    def __init__(self, crew: Crew, clock: Callable[[], float] = time.monotonic) -> None:
        self._crew, self._clock = crew, clock
        self._closing = asyncio.Event()  # accept no more
        self._over = asyncio.Event()
        self._drained: Drained | None = None
        self._phase_ends: float | None = None  # by the clock; None: not begun

    def begin(self, delay: float) -> None:
        """Be not ready from now on, and accept for at most `delay` seconds more."""
        ends = self._clock() + delay
        if self._closing.is_set() or (self._phase_ends is not None and self._phase_ends <= ends):
            return
        self._phase_ends = ends
        self._crew.draining = True
        if delay:
            logger.info("draining: not ready any more, accepting for another %g s", delay)
            asyncio.get_running_loop().call_later(delay, self._closing.set)
        else:
            self._closing.set()

    async def accepting_ends(self) -> None:
        """Wait until somebody has begun it and the delay has passed."""
        await self._closing.wait()

    async def finish(self) -> Drained:
        """Accept no more, wait for what is open, reset the rest. The workers are gone then."""
        timeout = self._crew.in_force.settings.drain.timeout
        self._phase_ends = self._clock() + timeout
        await self._crew.refresh()
        if active := self._crew.active:
            logger.info(
                "draining: %d connections have %g s to finish; a second signal resets them",
                active,
                timeout,
            )
        self._drained = await self._crew.drain()
        self._over.set()
        return self._drained

    async def wait(self) -> Drained:
        """Wait for the end of all that; for those who only watch."""
        await self._over.wait()
        assert self._drained is not None  # noqa: S101 - set before the event
        return self._drained

    @property
    def progress(self) -> Progress | None:
        """How far it is, by the newest reports of the workers; None before it begins."""
        if self._phase_ends is None:
            return None
        if self._drained is not None:
            return Progress(OVER, 0, None, 0.0, self._drained)
        phase = FINISHING if self._closing.is_set() else ACCEPTING
        left = max(0.0, self._phase_ends - self._clock())
        return Progress(phase, self._crew.active, self._crew.oldest, left)
