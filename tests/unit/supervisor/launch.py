"""Runs the supervisor over settings from a file, with the worker module that is named."""

import pickle
import sys
from pathlib import Path

from pqproxy.supervisor.run import run

if __name__ == "__main__":
    sys.exit(run(pickle.loads(Path(sys.argv[1]).read_bytes()), sys.argv[2]))  # noqa: S301 - our own
