"""The services of one worker: in force, in the making, and on their way out.

A change is prepared first, which may fail and then has changed nothing, and committed later, which
is quick and does not fail. The start of a worker is a change from nothing.

A listener whose recipe is the same keeps its service, with everything that it remembers. A changed
one gets a new service for whoever comes from now on; the old one stays until its last connection
has ended, by the settings that it began with.
"""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pqproxy.config import values
from pqproxy.config.recipes import Recipe, recipes
from pqproxy.config.values import IdentityFiles, Settings, TrustFiles
from pqproxy.crypto import load_provider
from pqproxy.identity.own import Identity
from pqproxy.identity.revocation import Revocations
from pqproxy.identity.trust import Trust
from pqproxy.proxy.descriptor import Engine
from pqproxy.proxy.egress import Egress
from pqproxy.proxy.engine_settings import egress_alpn
from pqproxy.proxy.handover import close_all
from pqproxy.proxy.ingress import Ingress
from pqproxy.proxy.keylog import open_key_log
from pqproxy.proxy.service import Service, Worker
from pqproxy.proxy.tunnel_egress import TunnelEgress
from pqproxy.proxy.visit import Visit
from pqproxy.telemetry.counters import ListenerCounters, WorkerCounters
from pqproxy.tls import KeyLog, TicketKeys
from pqproxy.tunnel import TUNNEL_PROTOCOL

# The listener in force that gives its sockets to a new one, or sockets of its own.
Sources = Mapping[str, str | list[socket.socket]]


@dataclass(frozen=True, slots=True)
class _Prepared:
    recipes: dict[str, Recipe]
    services: dict[str, Service]  # all that will be in force: kept ones and new ones
    revocations: dict[str, Revocations]  # by the name of the trust set, wherever one is needed
    sources: Sources


class Roster:
    """Who serves which listener."""

    def __init__(
        self, engine: Engine, counters: WorkerCounters, now: Callable[[], datetime]
    ) -> None:
        self._engine, self._counters, self._now = engine, counters, now
        self._recipes: dict[str, Recipe] = {}
        self._services: dict[str, Service] = {}
        self._retired: list[Service] = []
        self._prepared: _Prepared | None = None
        self._leaving = False
        self._key_log: KeyLog | None = None
        self.ticket_keys = TicketKeys()  # none, until the supervisor brings some

    # Changes.

    def prepare(self, settings: Settings, sources: Sources) -> None:
        """Build what is new or changed. Raises IdentityError, CryptoError or OSError."""
        self.abandon()
        wanted = recipes(settings)
        try:
            credentials = _Credentials(self._now())
            services = self._prepare_services(settings, wanted, credentials)
            revocations = self._revocations(settings, services, credentials)
        except Exception:
            _close(sources)
            raise
        self._prepared = _Prepared(wanted, services, revocations, sources)

    def commit(self) -> None:
        """Put in force what was prepared; nothing where nothing was."""
        if self._prepared is None:
            return
        prepared, self._prepared = self._prepared, None
        before, self._services = self._services, prepared.services
        self._recipes = prepared.recipes
        replaced = {
            name: service
            for name, service in before.items()
            if self._services.get(name) is not service
        }
        self._exchange(replaced, prepared.sources)
        for service in self._services.values():
            service.forget_sessions()
        self._retired = [one for one in (*self._retired, *replaced.values()) if one.visits]
        for service in self._retired:
            names = _trust_of(service, self._services.get(service.counters.name))
            service.withdraw(
                {name: said for name, said in prepared.revocations.items() if name in names}
            )

    def withdraw(self, settings: Settings) -> None:
        """Judge whoever is still here by the trust sets of settings by which others serve now.

        As if they were in force here, where nobody new comes in. Raises IdentityError.
        """
        wanted, credentials = recipes(settings), _Credentials(self._now())
        trust = {files.name: files for files in settings.trust}
        for service in self._everyone():
            names = _trust_of(service, wanted.get(service.counters.name)) & trust.keys()
            service.withdraw({name: credentials.trust(trust[name]).revocations for name in names})

    def abandon(self) -> None:
        """Forget what was prepared."""
        if self._prepared is not None:
            _close(self._prepared.sources)
            self._prepared = None

    def _prepare_services(
        self, settings: Settings, wanted: Mapping[str, Recipe], credentials: "_Credentials"
    ) -> dict[str, Service]:
        if settings.keylog is not None and self._key_log is None:
            self._key_log = open_key_log(settings.keylog)
        provider = load_provider(settings.provider)
        worker = Worker(
            self._engine,
            provider,
            self._now,
            self._key_log,
            settings.workers,
            self.ticket_keys,
        )
        return {
            name: self._services[name]
            if self._recipes.get(name) == recipe
            else self._build(recipe, worker, credentials)
            for name, recipe in wanted.items()
        }

    def _revocations(
        self, settings: Settings, services: Mapping[str, Service], credentials: "_Credentials"
    ) -> dict[str, Revocations]:
        """Of all trust sets in use, and of those that only old connections came in by."""
        known = {one.trust.name: one.trust.revocations for one in services.values() if one.trust}
        old = {one.trust.name for one in self._everyone() if one.trust} - known.keys()
        return known | {
            files.name: credentials.trust(files).revocations
            for files in settings.trust
            if files.name in old
        }

    def _build(self, recipe: Recipe, worker: Worker, credentials: "_Credentials") -> Service:
        listener = recipe.listener
        counters = self._counters.listeners.get(listener.name)
        if counters is None:
            role = "ingress" if isinstance(listener, values.Ingress) else "egress"
            counters = ListenerCounters(listener.name, role)
        own = [credentials.identity(files) for files in recipe.identities]
        trust = None if recipe.trust is None else credentials.trust(recipe.trust)
        if isinstance(listener, values.Ingress):
            return Ingress(listener, worker, counters, own, trust)
        assert trust is not None  # noqa: S101 - every egress names one
        kind = TunnelEgress if TUNNEL_PROTOCOL in egress_alpn(listener) else Egress
        return kind(listener, worker, counters, own, trust)

    def _exchange(self, replaced: Mapping[str, Service], sources: Sources) -> None:
        """Give every new service its sockets; close what nobody listens on any more."""
        kept = {source for source in sources.values() if isinstance(source, str)}
        freed = {
            name: service.release(for_good=name not in kept) for name, service in replaced.items()
        }
        for name, service in self._services.items():
            self._counters.listeners[name] = service.counters
            if name in replaced:
                service.succeed(replaced[name])
            source = sources[name]
            if not isinstance(source, str):
                service.listen(source)
            elif source in freed:
                service.adopt(freed.pop(source))
        for name, listeners in freed.items():
            self._services.get(name, replaced[name]).see_out(listeners)

    # Places of other workers.

    def cover(self, place: int, sockets: Mapping[str, list[socket.socket]]) -> None:
        """Accept from the sockets of another worker's place too, given by listener.

        A reload that changes a listener ends it: the rest waits for that worker's successor.
        """
        self.uncover(place)
        for name, given in sockets.items():
            service = self._services.get(name)
            if service is None or self._leaving:
                close_all(given)
            else:
                service.cover(place, given)

    def uncover(self, place: int) -> None:
        """Leave that place to its worker."""
        for service in self._services.values():
            service.uncover(place)

    # All of them together.

    @property
    def visits(self) -> set[Visit]:
        """The open connections, whenever they came."""
        return set().union(*(service.visits for service in self._everyone()))

    @property
    def clients(self) -> set[Visit]:
        """Those that are no tunnels: whoever is cut off with one of these loses something."""
        return set().union(*(service.clients for service in self._everyone()))

    def stop_listening(self) -> None:
        """Accept who is in the queues already, then no more."""
        self.abandon()
        self._leaving = True
        for service in self._services.values():
            service.stop_listening()

    def cut(self) -> None:
        """Reset every connection."""
        for service in self._everyone():
            service.cut()

    def snapshot(self) -> dict[str, Any]:
        """What there is to report. A removed listener is told of until its last connection ended.

        The report that tells of that end is its last: else a report would grow with every name
        that was ever used.
        """
        for counters in self._counters.listeners.values():
            counters.tunnel_buffered = 0  # of an old service and its successor together
        for service in self._everyone():
            service.count_bytes()
            service.counters.tunnel_buffered += service.buffered
        connections = {name: one.admission.connections for name, one in self._services.items()}
        status = {
            "connections": connections,
            "kept_bytes": self._engine.pool.copied,
            "oldest": self._age(),
        }
        report = {
            "counters": self._counters.snapshot(),
            "evidence": self._counters.take_evidence(),
            "status": status,
        }
        self._retired = [service for service in self._retired if service.visits]
        alive = {service.counters.name for service in self._everyone()}
        for name in self._counters.listeners.keys() - alive:
            del self._counters.listeners[name]
        return report

    def _age(self) -> float | None:
        """Seconds since the oldest open connection came; None when there is none."""
        arrivals = [one.oldest for one in self._everyone() if one.oldest is not None]
        return time.monotonic() - min(arrivals) if arrivals else None

    def _everyone(self) -> Iterator[Service]:
        yield from self._services.values()
        yield from self._retired


class _Credentials:
    """Certificates and roots, each read once although several listeners use it."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._identities: dict[str, Identity] = {}
        self._trust: dict[str, Trust] = {}

    def identity(self, files: IdentityFiles) -> Identity:
        if files.name not in self._identities:
            # The supervisor has read it before; here streams would stand still meanwhile.
            self._identities[files.name] = Identity.load(files, self._now, checked=True)
        return self._identities[files.name]

    def trust(self, files: TrustFiles) -> Trust:
        if files.name not in self._trust:
            self._trust[files.name] = Trust.load(files)
        return self._trust[files.name]


def _trust_of(old: Service, successor: Service | Recipe | None) -> set[str]:
    """The trust set that a service went by, and that of its successor."""
    sets = (old.trust, None if successor is None else successor.trust)
    return {one.name for one in sets if one is not None}


def _close(sources: Sources) -> None:
    for source in sources.values():
        if not isinstance(source, str):
            close_all(source)
