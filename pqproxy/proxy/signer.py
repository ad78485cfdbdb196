"""Signs on threads what would hold up the event loop.

ML-DSA takes a millisecond and more, at times several; it releases the GIL, so a thread is enough.
The number of threads is bounded, and what waits for them by the handshakes a listener allows.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

_THREADS = 2

Signature = bytes | Exception


class Signer:
    """The threads of one worker, made when the first slow key is used."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="sign")

    def sign(self, work: Callable[[], bytes], done: Callable[[Signature], None]) -> None:
        """Run `work` on a thread, then `done` in the loop with its result or its exception."""

        def run() -> None:
            result = attempt(work)
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(done, result)

        self._threads.submit(run)

    def close(self) -> None:
        """Let what is under way finish, and start nothing more."""
        self._threads.shutdown(wait=True, cancel_futures=True)


def attempt(work: Callable[[], bytes]) -> Signature:
    """The signature, or what prevented it, which the engine turns into an alert."""
    try:
        return work()
    except Exception as error:
        return error
