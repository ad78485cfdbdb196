"""What a service manager is told: sd_notify(3), one datagram a message, without a library.

    READY=1        the workers accept            STOPPING=1     a drain has begun
    RELOADING=1    and READY=1 when it is over   WATCHDOG=1     at half of what it waits for
    STATUS=        a line for people             EXTEND_TIMEOUT_USEC=  this start takes longer

Without NOTIFY_SOCKET nothing is sent. A message that cannot be sent is worth no more than a line in
the log: what it is about happens anyway.
"""

import asyncio
import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator, MutableMapping

logger = logging.getLogger(__name__)

_MICROSECONDS = 1_000_000


class Notifier:
    """Speaks to the socket at `address`; None: to nobody."""

    def __init__(self, address: str | None = None, watchdog: float | None = None) -> None:
        self._address = address
        self._watchdog = watchdog  # seconds that the manager waits for a sign of life

    @staticmethod
    def from_environment(environ: MutableMapping[str, str]) -> "Notifier":
        """Take the variables out: workers must not speak in our name."""
        address = environ.pop("NOTIFY_SOCKET", None)
        wait, process = environ.pop("WATCHDOG_USEC", ""), environ.pop("WATCHDOG_PID", "")
        meant = process in ("", str(os.getpid()))
        if not (meant and wait.isdecimal() and int(wait)):
            return Notifier(address)
        return Notifier(address, int(wait) / _MICROSECONDS)

    def starting(self, status: str, patience: float) -> None:
        """The start goes on, and may take so many seconds from now."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(patience * _MICROSECONDS)}", f"STATUS={status}")

    def ready(self, status: str) -> None:
        """Everything that was asked for is served, after a start or a reload."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload has begun; `ready` ends it, whatever came of it."""
        microseconds = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={microseconds}", "STATUS=reloading")

    def stopping(self, status: str) -> None:
        """We were told to go."""
        self._send("STOPPING=1", f"STATUS={status}")

    @contextlib.contextmanager
    def watched(self, healthy: Callable[[], bool]) -> Iterator[None]:
        """Give a sign of life at half of the time, as long as `healthy`. Needs a running loop."""
        if self._watchdog is None:
            yield
            return
        loop, pause = asyncio.get_running_loop(), self._watchdog / 2
        timer: asyncio.Handle = loop.call_soon(lambda: beat())

        def beat() -> None:
            nonlocal timer
            if healthy():
                self._send("WATCHDOG=1")
            timer = loop.call_later(pause, beat)

        try:
            yield
        finally:
            timer.cancel()

    def _send(self, *lines: str) -> None:
        if self._address is None:
            return
        # An abstract socket is written with @ where its name has a NUL.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                sender.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            logger.warning("NOTIFY_SOCKET takes no %s: %s", lines[0], error.strerror or error)
