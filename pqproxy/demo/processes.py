"""Child processes that never outlive the demo, and what they wrote.

A child gets a session of its own, so that Ctrl-C reaches the demo alone and the children are
ended in order; should the demo be killed outright, the kernel ends them.
"""

import asyncio
import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

_PR_SET_PDEATHSIG = 1
_POLL_INTERVAL = 0.02
_libc = ctypes.CDLL(None)  # looked up here: nothing may be loaded between fork and exec


class ChildFailed(Exception):
    """A child ended, or did not get ready; the message holds the end of what it wrote."""


def _die_with_parent() -> None:
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One running process, its output in two files."""

    def __init__(self, name: str, arguments: Sequence[str], directory: Path) -> None:
        self.name = name
        self._output = directory / f"{name}.out"
        self._log = directory / f"{name}.log"
        with self._output.open("wb") as output, self._log.open("wb") as log:
            self.process = subprocess.Popen(  # noqa: S603 - our own modules, no shell
                [sys.executable, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=log,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def output(self) -> str:
        """What it wrote on stdout so far."""
        return self._output.read_text(errors="replace")

    def log(self) -> str:
        """What it wrote on stderr so far."""
        return self._log.read_text(errors="replace")

    async def first_line(self, patience: float) -> str:
        """The first line on stdout, waited for.

        Raises ChildFailed where the process ends or the time runs out before.
        """
        deadline = time.monotonic() + patience
        while "\n" not in (text := self.output()):
            self.check(deadline)
            await asyncio.sleep(_POLL_INTERVAL)
        return text.partition("\n")[0]

    def check(self, deadline: float) -> None:
        """Raise ChildFailed where the process has ended, or `deadline` has passed."""
        if self.process.poll() is not None:
            problem = f"ended with exit code {self.process.returncode}"
        elif time.monotonic() > deadline:
            problem = "is not ready in time"
        else:
            return
        raise ChildFailed(f"{self.name} {problem}\n{self.log()[-2000:]}".rstrip())

    def stop(self, patience: float) -> None:
        """Ask it to end, then make it."""
        self.process.terminate()
        try:
            self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Children:
    """A context that ends what was started in it, the last one first."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: list[Child] = []

    def start(self, name: str, arguments: Sequence[str]) -> Child:
        """Start this Python with `arguments`."""
        # No await in here: a cancellation cannot come between the start and the note of it.
        child = Child(name, arguments, self._directory)
        self._running.append(child)
        return child

    def __enter__(self) -> "Children":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._running:
            self._running.pop().stop(patience=3.0)
