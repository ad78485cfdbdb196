"""`python -m pqproxy.proxy CHANNEL HANDOVER` is a worker (`worker.py`)."""

import sys

from pqproxy import collector

if __name__ == "__main__":
    collector.spare_the_start()
    from pqproxy.proxy.worker import main

    sys.exit(main(sys.argv[1:]))
