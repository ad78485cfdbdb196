"""Warns of certificates that end soon: at the start, after a reload, and once a day."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pqproxy.supervisor.certificates import CertificateEnd, warning_of
from pqproxy.supervisor.in_force import InForce

logger = logging.getLogger(__name__)


class Reminders:
    """What is in force, and what was said of it."""

    period = 600.0  # seconds between two looks at the clock, which may be set meanwhile
    again = timedelta(days=1)

    def __init__(self, in_force: InForce, clock: Callable[[], float] = time.time) -> None:
        self._in_force, self._clock = in_force, clock
        self._said: dict[CertificateEnd, datetime] = {}

    def tell(self) -> None:
        """Warn of everything that ends soon."""
        self._said.clear()
        self._tell_what_is_due()

    async def repeat(self) -> None:
        """Warn of what begins to end soon, and daily of what still does, until cancelled."""
        while True:
            await asyncio.sleep(self.period)
            self._tell_what_is_due()

    def _tell_what_is_due(self) -> None:
        now = datetime.fromtimestamp(self._clock(), UTC)
        ends = self._in_force.certificates
        self._said = {end: at for end, at in self._said.items() if end in ends}
        for end in ends:
            said = self._said.get(end)
            if said is not None and abs(now - said) < self.again:
                continue
            if warning := warning_of(end, now):
                self._said[end] = now
                logger.warning("%s", warning)
