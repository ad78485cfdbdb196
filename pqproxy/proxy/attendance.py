"""The sink of a side that is not joined yet: when it goes, the work done for it stops."""

import asyncio

from pqproxy.proxy.buffers import Batch
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry.reasons import EndReason


class Attendance:
    """Cancels a connection's task when its client has left, so that nothing is dialled for it."""

    __slots__ = ("_task", "_visit")

    def __init__(self, visit: Visit, task: "asyncio.Task[object]") -> None:
        self._visit, self._task = visit, task

    def on_abort(self, reason: EndReason) -> None:
        """The client is gone."""
        self._visit.left = reason
        self._task.cancel()

    def on_data(self, batch: Batch) -> None:
        """Never: the side is paused."""

    def on_end(self) -> None:
        """Never: a paused side does not look for its end."""

    def on_writable(self) -> None:
        """Never: nothing was written."""

    def on_closed(self) -> None:
        """Never: neither direction has ended."""
