"""Keeps the memory of the process that holds the keys to itself."""

import ctypes
import resource

_PR_SET_DUMPABLE = 4


def harden() -> None:
    """No core dumps, and no debugger of the same user."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Where there is no prctl the limit above has to do.
    prctl = getattr(ctypes.CDLL(None), "prctl", None)
    if prctl is not None:
        prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
