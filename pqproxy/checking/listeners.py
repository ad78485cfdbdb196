"""Section `listeners`: whether each address can be listened at, or is ours already."""

import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

from pqproxy.checking.findings import Finding, failure, good, warning
from pqproxy.checking.sockets import listening_inodes
from pqproxy.checking.subject import Running, Subject
from pqproxy.config.values import Address, Settings, TcpAddress, UnixAddress
from pqproxy.supervisor.occupant import Occupant, holders_of, port_inodes, pqproxy_processes

_NAME = "listener"
_SERVICE_MANAGER = "systemd"  # binds for others: socket activation
_TAKE_ANOTHER = "stop it or take another port"


def check_listeners(subject: Subject) -> Iterator[Finding]:
    """Look at every address that a start would listen at."""
    for title, address in _addresses(subject.settings):
        try:
            if isinstance(address, UnixAddress):
                yield _unix(title, address, subject)
            else:
                yield _tcp(title, address, subject)
        except OSError as error:
            yield _unlistenable(f"{title}: {address}", error)


def _addresses(settings: Settings) -> Iterator[tuple[str, Address]]:
    for ingress in settings.ingress:
        yield f"ingress {ingress.name}", ingress.listen
    for egress in settings.egress:
        yield f"egress {egress.name}", egress.listen
    if settings.health is not None:
        yield "health", settings.health
    if settings.control is not None:
        yield "control", settings.control


def _tcp(title: str, address: TcpAddress, subject: Subject) -> Finding:
    if address.port == 0:
        return good(_NAME, f"{title}: {address}, a port that the kernel chooses")
    try:
        _try_bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
        return _in_use(f"{title}: {address}", address, port_inodes(address.port), subject)
    return good(_NAME, f"{title}: {address} is free")


def _try_bind(address: TcpAddress) -> None:
    """Bind and let go. It never listens, so no client can come in meanwhile. Raises OSError."""
    found = socket.getaddrinfo(
        address.host or None, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )
    missing: OSError | None = None
    bound = 0
    for family, _, _, _, where in found:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as attempt:
                # As a start does it: connections of the last run may be in TIME_WAIT.
                attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    attempt.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                attempt.bind(where)
                bound += 1
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            missing = error  # this machine lacks one of the name's addresses
    if not bound and missing is not None:
        raise missing


def _unix(title: str, address: UnixAddress, subject: Subject) -> Finding:
    path = Path(address.path)
    title = f"{title}: {address}"
    if not path.parent.is_dir():
        return failure(_NAME, f"{title}: no directory {path.parent}", f"mkdir -p {path.parent}")
    if path.exists() and not stat.S_ISSOCK(path.lstat().st_mode):
        message = f"{title} exists and is not a socket"
        return failure(_NAME, message, "remove it or take another path")
    if inodes := listening_inodes(address):
        return _in_use(title, address, inodes, subject)
    if not os.access(path.parent, os.W_OK | os.X_OK):
        message = f"{title}: this user may not make a socket in {path.parent}"
        return failure(_NAME, message, f"give this user {path.parent}, or take another path")
    return good(_NAME, f"{title} is free")


def _in_use(title: str, address: Address, inodes: set[str], subject: Subject) -> Finding:
    running = subject.running
    if running is not None and str(address) in _addresses_of(running):
        return good(_NAME, f"{title} is ours: pqproxy runs as process {running.pid}")
    holders = list(holders_of(inodes))
    instances = list(pqproxy_processes())
    for instance in instances:
        if instance in holders:
            return _served(title, instance, running)
    if holders and holders[0].name == _SERVICE_MANAGER:
        hint = "that is right where its socket unit is for pqproxy"
        return warning(_NAME, f"{title} is held by {_SERVICE_MANAGER}", hint)
    if holders:
        return failure(_NAME, f"{title} is in use by {holders[0]}", _TAKE_ANOTHER)
    if instances:
        message = f"{title} is in use, it seems by a pqproxy that runs, {instances[0]}"
        return warning(_NAME, message, "control: {listen: …} in the file lets it say so itself")
    return failure(_NAME, f"{title} is in use, by a process of another user", _TAKE_ANOTHER)


def _served(title: str, instance: Occupant, running: Running | None) -> Finding:
    """A pqproxy has it: whether it is the one of this file only its control listener can say."""
    message = f"{title} is served by a pqproxy that runs, {instance}"
    if running is None:
        hint = "well if it runs from this file, which control: {listen: …} lets it say; else "
        return warning(_NAME, message, hint + _TAKE_ANOTHER)
    if instance.pid == running.pid:
        return good(_NAME, message)
    return failure(_NAME, f"{message}, from another file", _TAKE_ANOTHER)


def _addresses_of(running: Running) -> set[str]:
    """Where an instance listens: it would not run, had it not got all of them."""
    configured = running.settings
    entries = [*configured.get("ingress", ()), *configured.get("egress", ())]
    named = {str(entry.get("listen")) for entry in entries if isinstance(entry, dict)}
    return named | {str(configured.get("health")), str(configured.get("control"))}


def _unlistenable(title: str, error: OSError) -> Finding:
    hint = "check the address"
    if error.errno in (errno.EACCES, errno.EPERM):
        hint = "ports below 1024 need CAP_NET_BIND_SERVICE; take a higher one"
    elif error.errno == errno.EADDRNOTAVAIL or isinstance(error, socket.gaierror):
        hint = "listen at one of this machine's addresses, or at :PORT for all of them"
    return failure(_NAME, f"{title} cannot be listened at: {error.strerror or error}", hint)
