"""What the proxy needs of the machine, said before anything fails for want of it."""

import os
import select
import sys

from pqproxy.cli.errors import FAILURE, CommandError


def require_linux() -> None:
    """Raise CommandError where workers cannot wait for sockets, nor the supervisor for workers."""
    # By what is used and not by name: another system may have both one day.
    wanted = {"epoll": hasattr(select, "epoll"), "pidfd_open": hasattr(os, "pidfd_open")}
    missing = [name for name, there in wanted.items() if not there]
    if missing:
        raise CommandError(
            f"the proxy needs Linux: {sys.platform} has no {' and no '.join(missing)}",
            "run it in a Linux container or machine; certs and config work here",
            FAILURE,
        )
