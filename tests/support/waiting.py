"""Waiting for something to become true, with a limit and a name for what did not happen."""

import time


def wait_until(condition, what, seconds=40.0, interval=0.01):
    """Return the first true value of `condition()`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(interval)
    return value


def seconds_until(condition, what, seconds=40.0):
    """How long it takes until `condition()` is true."""
    begun = time.monotonic()
    wait_until(condition, what, seconds, interval=0.002)
    return time.monotonic() - begun
