"""What a worker may still do once it has loaded everything, and before it accepts anybody.

It holds its keys, its certificates and its listening sockets by then. What is left is to connect
to the upstreams, to look up their names, and to import what Python imports late. Upstreams that it
cannot reach after a reload are served by a new worker in its place.
"""

import logging
import os
import sys

from pqproxy.config.upstreams import upstreams
from pqproxy.config.values import Settings
from pqproxy.crypto.liboqs_library import native_directories
from pqproxy.landlock import Confinement, confine

_log = logging.getLogger(__name__)

_DNS = 53  # over TCP, where an answer is too long for UDP
# The name service and the unwinding of threads are loaded when they are first needed.
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
# Whole directories: who renews resolv.conf renames a new file into its place, and a right to the
# old one would be worth nothing. systemd-resolved and NetworkManager keep theirs under /run.
_NAME_SERVICE = ("/etc", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf")


def worker_confinement(settings: Settings) -> Confinement:
    """Make the least that serving these settings needs."""
    reached = upstreams(settings)
    readable = [*filter(os.path.isabs, sys.path), *_LIBRARIES]
    readable += map(str, native_directories())  # a reload may bring the first key that needs it
    ports = reached.ports
    if reached.named:
        readable += _NAME_SERVICE
        ports |= {_DNS}
    # Unix upstreams need no right: Landlock does not judge who connects to a socket file.
    return Confinement(tuple(readable), connect=ports, bind=False, abstract_sockets=False)


def confine_worker(settings: Settings) -> None:
    """Confine this process. The supervisor has said already what the kernel can."""
    if settings.landlock:
        try:
            confine(worker_confinement(settings))
        except OSError as error:
            _log.warning("a worker is not confined by Landlock: the kernel refuses it: %s", error)
