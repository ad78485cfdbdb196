"""Starting what is measured and what measures it, each on its core."""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

CORES = sorted(os.sched_getaffinity(0))
# Proxies share one core, load and backend another: so nobody's work hides in a second core,
# and the load never takes time from what is measured. On a single core all share it.
# More workers get more cores: the load's last.
PROXY_CORES, LOAD_CORE = CORES, CORES[-1]
MANY_DESCRIPTORS = 65536
START_SECONDS = 60
STOP_SECONDS = 10


class DidNotStart(Exception):
    """A process ended, or did not listen in time; the message has the end of its log."""


def allow_many_descriptors() -> None:
    """Idle connections by the thousand need more than the usual 1024; children inherit it."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = max(hard, MANY_DESCRIPTORS)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, wanted))
    except ValueError:  # more than an ordinary user may have
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_port() -> int:
    """A TCP port of the loopback that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def server(
    argv: Sequence[str], *, cores: Sequence[int], ports: Sequence[int], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends; the block starts when all `ports` accept."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            argv,
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
    try:
        for port in ports:
            _wait_listening(process, port, log)
        yield process
    finally:
        stop(process)


def module(name: str, *arguments: object) -> list[str]:
    """The command that runs a module of this package."""
    return [sys.executable, "-m", name, *map(str, arguments)]


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process; what does not listen to SIGTERM in time is killed."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_listening(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.05)
    tail = log.read_text(errors="replace")[-2000:]
    command = " ".join(map(str, process.args))  # type: ignore[arg-type] # we start with lists
    raise DidNotStart(f"{command}\ndoes not listen on port {port}:\n{tail}")
