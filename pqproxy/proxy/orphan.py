"""Ends a worker whose supervisor is gone, even when its event loop is stuck.

A worker that works sees the end of its channel and leaves in order, resetting its connections. For
one that does not the kernel has to do it: it sends a signal when the parent dies, whose handler is
`alarm` of the C library itself. A handler is called with the signal's number, so SIGQUIT, which is
3, leaves three seconds for the orderly end; then SIGALRM ends the process. No Python runs in it.
"""

import ctypes
import signal

_PR_SET_PDEATHSIG = 1
PARENT_DIED = signal.SIGQUIT


def end_with_parent() -> None:
    """Ask the kernel for that. Whose parent is gone already is told by the channel."""
    library = ctypes.CDLL(None)
    prctl = getattr(library, "prctl", None)
    if prctl is None:  # not Linux: the channel has to do
        return
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    library.signal(int(PARENT_DIED), library.alarm)
    prctl(_PR_SET_PDEATHSIG, int(PARENT_DIED), 0, 0, 0)
