"""`pqproxy certs renew --watch`: keeps a directory of certificates good, until a signal."""

import argparse
import signal
import sys
import threading
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
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    upkeep = Upkeep(arguments.dir, names, arguments.algorithm, options)
    _say(f"watching {', '.join(names) or 'every leaf'} in {arguments.dir}")
    while not stop.is_set():
        now = current_time()
        done, due = upkeep.turn(now)
        for one in done:
            _report(one)
        stop.wait((due - now).total_seconds())
    _say("stopped")
    return 0


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
