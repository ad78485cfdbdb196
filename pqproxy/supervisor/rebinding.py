"""The listening sockets of settings to come, beside those in force until all is decided.

An address that stays keeps its sockets, whatever the listener there is called from now on: bound
anew it would be found in use, by ourselves. The others are bound before anything is given up.
"""

import socket
from collections.abc import Iterator

from pqproxy.config.values import Egress, Ingress, Settings, TcpAddress
from pqproxy.supervisor.binding import Bound, Group
from pqproxy.supervisor.errors import StartFailure


class Rebinding:
    """Sockets kept and sockets bound. Ends with `commit` or `abandon`."""

    def __init__(self, bound: Bound, before: Settings, after: Settings) -> None:
        """Bind what is new. Raises StartFailure; then nothing is left of it."""
        self._bound = bound
        self._kept = _kept(before, after)
        self._fresh: dict[str, list[Group]] = {}
        try:
            for title, listener in _listeners(after):
                if listener.name not in self._kept:
                    self._fresh[listener.name] = self._bind(title, listener, before)
        except StartFailure:
            self.abandon()
            raise

    def sources(self, place: int) -> tuple[dict[str, str | int], list[socket.socket]]:
        """What the worker in this place is told, and the new sockets that it gets, in order."""
        sources: dict[str, str | int] = dict(self._kept)
        sockets: list[socket.socket] = []
        for name, groups in self._fresh.items():
            sources[name] = len(groups)
            sockets += [group[place] for group in groups]
        return sources, sockets

    def commit(self) -> None:
        """Give up what no listener uses any more; a worker's own copy ends when it closes that."""
        before = self._bound.listeners
        kept = {name: before[source] for name, source in self._kept.items()}
        self._bound.listeners = kept | self._fresh
        self._fresh = {}
        for name in before.keys() - set(self._kept.values()):
            self._bound.give_up(before[name])

    def abandon(self) -> None:
        """Give up what is new; after a commit that is nothing."""
        for groups in self._fresh.values():
            self._bound.give_up(groups)
        self._fresh = {}

    def _bind(self, title: str, listener: Ingress | Egress, before: Settings) -> list[Group]:
        try:
            return self._bound.bind_listener(title, listener.listen)
        except StartFailure as failure:
            ours = _same_port(listener, before)
            if ours is None:
                raise
            hint = f"listener {ours} has that port until then: take two steps, or restart"
            raise StartFailure(failure.message, hint) from None


def _kept(before: Settings, after: Settings) -> dict[str, str]:
    """The listener in force that gives its sockets, by the listener that gets them."""
    given = {listener.name: listener.listen for _, listener in _listeners(before)}
    wanted = {listener.name: listener.listen for _, listener in _listeners(after)}
    # By name first: of several listeners at port 0 each has a port of its own.
    kept = {name: name for name, address in wanted.items() if given.get(name) == address}
    for name, address in wanted.items():
        if name not in kept and not _is_any_port(address):
            free = (one for one in given if given[one] == address and one not in kept.values())
            if (source := next(free, None)) is not None:
                kept[name] = source
    return kept


def _is_any_port(address: object) -> bool:
    return isinstance(address, TcpAddress) and address.port == 0


def _same_port(listener: Ingress | Egress, before: Settings) -> str | None:
    """Who of ours has the port already, under another address: `:8443` and `127.0.0.1:8443`."""
    if not isinstance(listener.listen, TcpAddress):
        return None
    host, port = listener.listen.host, listener.listen.port
    for _, other in _listeners(before):
        theirs = other.listen
        if isinstance(theirs, TcpAddress) and theirs.port == port and "" in (host, theirs.host):
            return other.name
    return None


def _listeners(settings: Settings) -> Iterator[tuple[str, Ingress | Egress]]:
    for ingress in settings.ingress:
        yield f"ingress {ingress.name}", ingress
    for egress in settings.egress:
        yield f"egress {egress.name}", egress
