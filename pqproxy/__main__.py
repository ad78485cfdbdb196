"""`python -m pqproxy` is `pqproxy`."""

import sys

from pqproxy.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
