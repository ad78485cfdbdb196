"""Notices that certificates, keys or roots have been renewed, and has them reloaded as one set.

    something happens in a directory | a minute is over -> a digest of all files -> as before?
                                                              | no: reload
                                                              | refused: again in 1, 2, 5, ... s

It changes nothing itself. Events come late or never from network and overlay filesystems: hence
the minute. What is half-written is refused by the reload as a whole, and asked for again soon,
since the other half may bring no event. The configuration itself is not watched: it is edited by
people, who say when they are done.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from watchfiles import awatch

from pqproxy.supervisor.crew import Crew
from pqproxy.supervisor.fingerprint import fingerprint, read_once, watched_directories
from pqproxy.supervisor.reloading import Reloader, Result

logger = logging.getLogger(__name__)

_QUIET = 250  # ms without an event, after which a burst of them is over
_BURST = 3000  # ms that one may last
_LOOKS = 20  # at files that change each time

# Yields, until cancelled, when something has happened in one of the directories.
Notices = Callable[..., AsyncIterator[Any]]


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds until files are looked at although no event came; tests take less."""

    calm: float = 60.0
    deaf: float = 5.0  # where there are no events at all
    rest: float = 0.1  # of files that have changed, before they are read
    refused: tuple[float, ...] = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class Watcher:
    """Watches the files of what is in force."""

    def __init__(
        self,
        reloader: Reloader,
        crew: Crew,
        notices: Notices = awatch,
        pauses: Pauses = Pauses(),
    ) -> None:
        self._reloader, self._crew = reloader, crew
        self._notices, self._pauses = notices, pauses
        self._taken = b""  # the digest of what is in force; it may have changed before we came
        self._refused = 0  # times in a row
        self._deaf = False
        self._read_once: str | None = None  # what was said to be
        logging.getLogger("watchfiles").setLevel(logging.WARNING)  # it would tell of each event

    async def run(self) -> None:
        """Have files reloaded whenever they have changed, until a drain begins."""
        await self._crew.wait_ready()
        wake = self._reloader.reread
        while not self._crew.draining:
            wake.clear()
            files = self._crew.in_force.settings.files
            if not files:
                await wake.wait()
                continue
            try:
                await self._watch(files, wake)
            except Exception:  # what is in force serves on, whatever is wrong with the watching
                logger.exception("watching certificates failed inside pqproxy; it is tried again")
                await asyncio.sleep(self._pauses.calm)

    async def _watch(self, files: tuple[str, ...], wake: asyncio.Event) -> None:
        """Look at the files once, then wait until there may be a reason to look again."""
        directories = await asyncio.to_thread(watched_directories, files)
        async with self._listening(directories, wake):
            if not await asyncio.to_thread(self._block, files):
                await self._look(files)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(wake.wait(), self._pause())

    async def _look(self, files: tuple[str, ...]) -> None:
        found = await asyncio.to_thread(fingerprint, files)
        if found == self._taken and not self._refused:
            return
        found = await self._at_rest(files, found)
        if self._crew.draining:
            return
        outcome = await self._reloader.renew()
        if outcome.result is Result.SUCCESS:
            self._taken, self._refused = found, 0
        else:
            self._refused += 1

    async def _at_rest(self, files: tuple[str, ...], found: bytes) -> bytes:
        """The digest, once it has been the same for a moment: who writes has several files."""
        for _ in range(_LOOKS):  # who never rests is taken as he is
            await asyncio.sleep(self._pauses.rest)
            before, found = found, await asyncio.to_thread(fingerprint, files)
            if found == before:
                break
        return found

    def _block(self, files: Iterable[str]) -> bool:
        """Whether to read one of them again would block, or bring nothing: a pipe."""
        once = next(read_once(files), None)
        if once is not None and once != self._read_once:
            logger.warning("%s can be read only once: renewed certificates are not noticed", once)
        self._read_once = once
        return once is not None

    def _pause(self) -> float:
        if self._refused:
            return self._pauses.refused[min(self._refused, len(self._pauses.refused)) - 1]
        return self._pauses.deaf if self._deaf else self._pauses.calm

    @contextlib.asynccontextmanager
    async def _listening(
        self, directories: frozenset[str], wake: asyncio.Event
    ) -> AsyncIterator[None]:
        """Set `wake` when something happens in one of these directories."""
        listening = asyncio.ensure_future(self._listen(directories, wake))
        await asyncio.sleep(0)  # from its first step on it hears everything
        try:
            yield
        finally:
            listening.cancel()
            await asyncio.wait((listening,))

    async def _listen(self, directories: frozenset[str], wake: asyncio.Event) -> None:
        notices = self._notices(
            *sorted(directories),
            watch_filter=None,
            debounce=_BURST,
            step=_QUIET,
            recursive=False,
            ignore_permission_denied=True,
        )
        try:
            async for _ in notices:
                wake.set()
        except (OSError, RuntimeError, ExceptionGroup) as error:
            if not self._deaf:
                logger.warning(
                    "the kernel tells of no changes, files are read every %g s instead: %s",
                    self._pauses.deaf,
                    error,
                )
            self._deaf = True
