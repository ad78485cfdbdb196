"""`python -m pqproxy` is `pqproxy`."""

import sys

from pqproxy import collector


def start() -> int:
    """Run the command line in a process that is there for nothing else; return its exit code."""
    collector.spare_the_start()
    from pqproxy.cli.main import main

    try:
        return main()
    finally:
        collector.settle()  # the exit is not held up either


if __name__ == "__main__":
    sys.exit(start())
