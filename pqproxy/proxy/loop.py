"""A worker's event loop: the standard one, whose selector serves the data path itself."""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple

from pqproxy.proxy.poller import Poller

Ts = TypeVarTuple("Ts")


class PollingLoop(asyncio.SelectorEventLoop):
    """asyncio beside a `Poller`.

    While only data comes the poller goes round by itself. It hands over as soon as asyncio has
    something to do: that is what the two overridden methods tell it.
    """

    def __init__(self) -> None:
        self.poller = Poller(self)
        super().__init__(self.poller)

    def call_soon(
        self,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """As asyncio's."""
        self.poller.hand_over = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """As asyncio's, and the basis of its `call_later`."""
        self.poller.hand_over = True
        return super().call_at(when, callback, *args, context=context)
