"""What is said of a worker that ended unasked: how, after how long, how often, what may help."""

import signal

from pqproxy.supervisor.worker import WorkerProcess

_OUT_OF_MEMORY = "SIGKILL: somebody sent it, or memory ran out, which the kernel's log tells"


def how_it_ended(worker: WorkerProcess) -> str:
    """The end of a process, and what it said itself."""
    if worker.status is None:
        end = "could not be started"
    elif worker.status < 0:
        end = f"was killed by {_signal(-worker.status)}"
    else:
        end = f"exited with status {worker.status}"
    return f"{end} ({worker.error})" if worker.error else end


def crash_line(worker: WorkerProcess, lived: float, pause: float, in_a_row: int) -> str:
    """One line. `in_a_row` is how many of this place lived too short, this one included."""
    line = (
        f"worker {worker.pid} {how_it_ended(worker)} after {lived:.1f} s"
        f" and cut {worker.active} connections; a new one starts in {pause:g} s"
    )
    if in_a_row > 1:
        line += f"; it is number {in_a_row} of those that soon died here"
    if in_a_row > 2:
        line += ": that mends itself seldom, see what they said before"
    if worker.status == -signal.SIGKILL and not worker.error:
        line += f" ({_OUT_OF_MEMORY})"
    return line


def _signal(number: int) -> str:
    try:
        return f"signal {number}, {signal.Signals(number).name}"
    except ValueError:  # a real-time one
        return f"signal {number}"
