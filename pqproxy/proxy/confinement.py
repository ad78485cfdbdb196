"""What a worker may still do once it has loaded everything, and before it accepts anybody.

It holds its keys, its certificates and its listening sockets by then. What is left is to connect
to the upstreams, to look up their names, and to import what Python imports late.
"""

import logging
import os
import sys

from pqproxy.config.addresses import ip_literal
from pqproxy.config.values import Settings, TcpAddress
from pqproxy.landlock import Confinement, confine

_log = logging.getLogger(__name__)

# The name service and the unwinding of threads are loaded when they are first needed.
_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib")
# Whole directories: who renews resolv.conf renames a new file into its place, and a right to the
# old one would be worth nothing. systemd-resolved and NetworkManager keep theirs under /run.
_NAME_SERVICE = ("/etc", "/run/systemd/resolve", "/run/NetworkManager", "/run/resolvconf")


def worker_confinement(settings: Settings) -> Confinement:
    """Make the least that serving these settings needs."""
    upstreams = [listener.forward for listener in settings.ingress]
    upstreams += [address for listener in settings.egress for address in listener.connect]
    tcp = [address for address in upstreams if isinstance(address, TcpAddress)]
    readable = [*filter(os.path.isabs, sys.path), *_LIBRARIES]
    if any(ip_literal(address.host) is None for address in tcp):
        readable += _NAME_SERVICE
    # Unix upstreams need no right: Landlock does not judge who connects to a socket file.
    # Ports are not limited: a reload gives new upstreams to a worker that runs.
    return Confinement(tuple(readable), bind=False, abstract_sockets=False)


def confine_worker(settings: Settings) -> Confinement | None:
    """Confine this process, and return how; None where it is not confined.

    The supervisor has said already what the kernel can.
    """
    if settings.landlock:
        confinement = worker_confinement(settings)
        try:
            return confinement if confine(confinement) else None
        except OSError as error:
            _log.warning("a worker is not confined by Landlock: the kernel refuses it: %s", error)
    return None


def check_confinement(confinement: Confinement | None, settings: Settings) -> None:
    """See whether a process that is confined can serve other settings. Raises PermissionError."""
    if confinement is None:
        return
    missing = set(worker_confinement(settings).readable or ()) - set(confinement.readable or ())
    if missing:
        raise PermissionError(
            "restart needed: upstreams by name are new, and Landlock keeps a worker that was"
            " started without any from the name service; write an address, or restart"
        )
