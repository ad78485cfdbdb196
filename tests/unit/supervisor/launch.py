"""Runs the supervisor over settings from a file, with the worker module that is named.

A reload reads the file again: pickled settings, or a tuple of what is wrong. Where DAY is set, that
is how many seconds a day has.
"""

import os
import pickle
import sys
from datetime import timedelta
from pathlib import Path

from pqproxy import collector


def main(path, worker_module):
    from pqproxy.supervisor.errors import ReloadFailure
    from pqproxy.supervisor.reading import Reading
    from pqproxy.supervisor.reminders import Reminders
    from pqproxy.supervisor.run import run

    def read(_in_force=None):
        return Reading(load(), load)

    def load():
        found = pickle.loads(Path(path).read_bytes())  # noqa: S301 - our own
        if isinstance(found, tuple):
            raise ReloadFailure(*found)
        return found

    if day := os.environ.get("DAY"):
        Reminders.period, Reminders.again = 0.05, timedelta(seconds=float(day))
    return run(read(), read, worker_module)


if __name__ == "__main__":
    collector.spare_the_start()  # as the command line does
    sys.exit(main(*sys.argv[1:]))
