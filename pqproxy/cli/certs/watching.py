"""`pqproxy certs renew --watch`: keeps a directory of certificates good, until a signal."""

import argparse
import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from pqproxy.cli.certs.options import current_time
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.leaves import find_leaves, leaf_names
from pqproxy.identity.renewing import RenewalOptions
from pqproxy.identity.upkeep import Done, Upkeep


def watch(arguments: argparse.Namespace, options: RenewalOptions) -> int:
    """Renew what is due, again and again. Raises IdentityError when there is nothing to watch."""
    names = tuple(arguments.names)
    for name in names:
        find_leaves(arguments.dir, name, arguments.algorithm)
    if not leaf_names(arguments.dir):
        raise IdentityError(
            f"there are no certificates in {arguments.dir}",
            f"issue one: pqproxy certs issue NAME --dir {arguments.dir}",
        )
    upkeep = Upkeep(arguments.dir, names, arguments.algorithm, options)
    _say(f"watching {', '.join(names) or 'every leaf'} in {arguments.dir}")
    with _told_to_stop() as stopped:
        while True:
            now = current_time()
            done, due = upkeep.turn(now)
            for one in done:
                _report(one)
            if stopped((due - now).total_seconds()):
                break
    _say("stopped")
    return 0


@contextmanager
def _told_to_stop() -> Iterator[Callable[[float], bool]]:
    """Gives a wait of so many seconds for a signal to stop; it returns whether one came.

    The signal writes to a pipe, which is still readable if it came just before the wait. A lock or
    a sleep would not hear of it before it is over, and that may be a month.
    """
    receiver, sender = os.pipe()
    os.set_blocking(sender, False)
    before = signal.set_wakeup_fd(sender)
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        yield lambda seconds: bool(select.select([receiver], [], [], max(seconds, 0.0))[0])
    finally:
        signal.set_wakeup_fd(before)
        os.close(receiver)
        os.close(sender)


def _report(done: Done) -> None:
    if done.error is None:
        _say(f"renewed {done.what}, next about {_moment(done.due)}")
        return
    fix = f" ({done.error.fix})" if done.error.fix else ""
    message = f"{done.what}: {done.error}{fix}; next try {_moment(done.due)}"
    print(f"pqproxy: error: {message}", file=sys.stderr, flush=True)


def _say(line: str) -> None:
    print(line, flush=True)


def _moment(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S} UTC"
