"""Section `host`: what this machine and its kernel give us."""

import importlib.util
import os
import resource
from collections.abc import Iterator
from pathlib import Path

from pqproxy.checking.findings import Finding, failure, good, warning
from pqproxy.checking.subject import Subject
from pqproxy.config.values import Egress, Ingress
from pqproxy.identity.errors import IdentityError
from pqproxy.identity.trust import Trust
from pqproxy.landlock import PORTS_SINCE, landlock_abi
from pqproxy.supervisor.binding import BACKLOG

_SPARE = 100  # descriptors that a worker has beside those of connections
_SOMAXCONN = Path("/proc/sys/net/core/somaxconn")


def check_host(subject: Subject) -> Iterator[Finding]:
    """Look at limits, clock, kernel and what is installed."""
    yield _descriptors(subject)
    yield _clock(subject)
    yield _confinement(subject)
    yield _core_dumps()
    yield _event_loop()
    yield from _kernel()


def _descriptors(subject: Subject) -> Finding:
    """A connection has two: one for each side. Every worker must be able to hold its share."""
    settings = subject.settings
    listeners: list[Ingress | Egress] = [*settings.ingress, *settings.egress]
    connections = sum(listener.limits.connections for listener in listeners)
    wanted = 2 * connections // settings.workers + _SPARE
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return good("descriptors", f"descriptors: {hard} permitted, {wanted} needed at most")
    message = (
        f"descriptors: {hard} permitted, {wanted} needed if all {connections} connections come"
    )
    return warning("descriptors", message, "raise LimitNOFILE (ulimit -Hn), or lower connections")


def _clock(subject: Subject) -> Finding:
    """A clock that is behind makes everybody's certificates invalid, with no word of the clock."""
    now = f"{subject.now:%Y-%m-%d %H:%M} UTC"
    begins = [
        root.certificate.not_valid_before_utc
        for trust in subject.trust.values()
        if isinstance(trust, Trust)
        for root in trust.roots
    ]
    if begins and subject.now < max(begins):
        message = f"clock: {now} is before {max(begins):%Y-%m-%d %H:%M}, when a root begins"
        return failure("clock", message, "set the clock: timedatectl, or the clock of the host")
    suspects = [
        str(error)
        for error in subject.identities.values()
        if isinstance(error, IdentityError) and "check the clock" in error.fix
    ]
    if suspects:
        message = f"clock: {now}, and certificates do not hold then"
        return warning("clock", message, "if that is not the time, set it: timedatectl")
    return good("clock", f"clock: {now}, which fits the certificates")


def _confinement(subject: Subject) -> Finding:
    abi = landlock_abi()
    if not subject.settings.landlock:
        message = "Landlock: turned off by the configuration"
        return warning(
            "landlock", message, "remove hardening: {landlock: off}, if it is not needed"
        )
    if abi == 0:
        message = "Landlock: this kernel has none, or runs without it"
        return warning(
            "landlock", message, "Linux 5.13 and later have it (boot with lsm=landlock,…)"
        )
    if abi < PORTS_SINCE:
        message = f"Landlock: ABI {abi} confines files, not ports"
        return warning("landlock", message, "Linux 6.7 and later confine ports too")
    return good("landlock", f"Landlock: ABI {abi} confines files and ports")


def _core_dumps() -> Finding:
    soft, _ = resource.getrlimit(resource.RLIMIT_CORE)
    here = "off" if soft == 0 else "on in this shell"
    return good("core-dumps", f"core dumps: {here}; pqproxy turns its own off when it starts")


def _event_loop() -> Finding:
    if importlib.util.find_spec("uvloop") is None:
        message = "uvloop: not installed; asyncio's own loop serves, with more CPU for each token"
        return warning("uvloop", message, "pip install uvloop")
    return good("uvloop", "uvloop: installed")


def _kernel() -> Iterator[Finding]:
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError) as error:
        yield failure(
            "kernel",
            f"kernel: no pidfd_open ({error}): the end of a worker would go unnoticed",
            "Linux 5.3 and later have it; a sandbox may have to permit it",
        )
    else:
        yield good("kernel", f"kernel: {os.uname().sysname} {os.uname().release}")
    try:
        queue = int(_SOMAXCONN.read_text())
    except (OSError, ValueError):
        return
    if queue < BACKLOG:
        message = f"kernel: a queue holds {queue} new connections, {BACKLOG} are asked for"
        yield warning("queue", message, f"sysctl net.core.somaxconn={BACKLOG}")
