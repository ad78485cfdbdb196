"""The sink of a side that is not joined yet: when it goes, the work done for it stops."""

from pqproxy.proxy.buffers import Batch
from pqproxy.proxy.duplex import Abortable
from pqproxy.proxy.visit import Ended, Visit
from pqproxy.telemetry.reasons import EndReason


def check_presence(client: Abortable) -> None:
    """See that there is somebody to serve. Raises Ended."""
    if client.closed:
        raise Ended(EndReason.CLIENT_LEFT, "the client left before it was served")


class Attendance:
    """Cancels a connection's task when its client has left, so that nothing is dialled for it."""

    __slots__ = ("_visit",)

    def __init__(self, visit: Visit) -> None:
        self._visit = visit

    def on_abort(self, reason: EndReason) -> None:
        """The client is gone."""
        self._visit.left = reason
        if self._visit.task is not None:
            self._visit.task.cancel()

    def on_data(self, batch: Batch) -> None:
        """Never: the side is paused."""

    def on_end(self) -> None:
        """Never: a paused side does not look for its end."""

    def on_writable(self) -> None:
        """Never: nothing was written."""

    def on_closed(self) -> None:
        """Never: neither direction has ended."""
