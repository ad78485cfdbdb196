"""The `control` listener: a unix socket or loopback, and the Host header checked.

    GET /status    what runs, what it has done, when certificates end
    GET /observed  whom `policy: require` would refuse, of listeners that observe
    GET /ledger    who talks under which protection, since when
    GET /config    the effective configuration, without a single byte of a file
    POST /reload   reads the configuration again; says what changed, or every problem
                   (422: of the configuration, 409: of anything else)
    POST /drain    begins a drain and says how far it is; {"wait": true}: says how it went

A web page can make a browser send requests to loopback under a name of its own (DNS rebinding);
the Host header tells them from ours.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from aiohttp import web
from aiohttp.typedefs import Handler

from pqproxy.config.redaction import redacted
from pqproxy.config.values import Egress, Ingress
from pqproxy.supervisor.admin import AdminServer
from pqproxy.supervisor.binding import Bound
from pqproxy.supervisor.certificates import CertificateEnd, warning_of
from pqproxy.supervisor.crew import Crew
from pqproxy.supervisor.drain import Drain
from pqproxy.supervisor.metrics import (
    CLOSE_LABELS,
    DECISION_LABELS,
    END_LABELS,
    HANDSHAKE_LABELS,
)
from pqproxy.supervisor.reloading import History, Kind, Reloader, Result
from pqproxy.supervisor.worker import WorkerProcess
from pqproxy.telemetry.counters import ListenerCounters
from pqproxy.telemetry.evidence import Evidence
from pqproxy.version import VERSION

LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})


@dataclass(frozen=True, slots=True)
class Report:
    """Everything `/status` tells."""

    crew: Crew
    bound: Bound
    reloads: History
    drain: Drain
    clock: Callable[[], float] = time.monotonic
    started: float = 0.0

    def status(self) -> dict[str, Any]:
        """The state of this run, as JSON can carry it."""
        return {
            "version": VERSION,
            "pid": os.getpid(),
            "uptime_seconds": round(self.clock() - self.started, 3),
            "draining": self.crew.draining,
            "drain": self.drained(),
            "ready": self.crew.ready,
            "worker_restarts": self.crew.restarts,
            "workers_wanted": len(self.crew.workers),
            "workers": [_worker(worker) for worker in self.crew.live()],
            "listeners": [
                self._listener(counters)
                for counters in self.crew.totals().listeners.values()
                if self.crew.in_force.listens(counters.name) or any(counters.active.values())
            ],
            "certificates": [_end(end) for end in self.crew.in_force.certificates],
            "last_reload": None if self.reloads.last is None else self.reloads.last.document(),
        }

    def drained(self) -> dict[str, Any] | None:
        """How far the drain is, once there is one."""
        progress = self.drain.progress
        return None if progress is None else progress.as_json()

    def _listener(self, counters: ListenerCounters) -> dict[str, Any]:
        listener = self.crew.in_force.listener(counters.name)
        removed = not self.crew.in_force.listens(counters.name)  # and its last connections live on
        return {
            "name": counters.name,
            "role": counters.role,
            "removed": removed,
            "listen": [] if removed else self.bound.addresses(counters.name),
            "policy": listener.policy,
            "policy_origin": listener.policy_origin,
            "authentication": listener.authentication,
            "identities": listener.identities,
            "connections_active": counters.clients,
            "connections_ended": counters.clients_ended,
            "ends": _rows(END_LABELS, counters.connections.counts),
            "handshakes": _rows(HANDSHAKE_LABELS, counters.handshakes.counts),
            "decisions": _rows(DECISION_LABELS, counters.decisions.counts),
            "client_bytes": [counters.client_received, counters.client_sent],
            "upstream_bytes": [counters.upstream_received, counters.upstream_sent],
            "tunnels": _tunnels(listener, counters),
            **self.crew.evidence.get(counters.name, Evidence()).summary(),
        }

    def table(self, name: Literal["observed", "ledger"]) -> dict[str, Any]:
        """All rows of one table of evidence, by listener."""
        settings = self.crew.in_force.settings
        listeners: list[Ingress | Egress] = [*settings.ingress, *settings.egress]
        evidence = {one.name: self.crew.evidence.get(one.name, Evidence()) for one in listeners}
        return {
            "listeners": [
                {"name": one.name, "policy": one.policy, **evidence[one.name].table(name)}
                for one in listeners
            ]
        }


def _end(end: CertificateEnd) -> dict[str, Any]:
    return {
        "identity": end.identity,
        "role": end.role,
        "not_after": end.not_after.isoformat(),
        "warning": warning_of(end, datetime.fromtimestamp(time.time(), UTC)),
    }


def _tunnels(listener: Ingress | Egress, counters: ListenerCounters) -> dict[str, Any]:
    mean = counters.round_trip_seconds.mean
    return {
        "mode": listener.tunnel.mode if isinstance(listener, Egress) else listener.tunnel,
        "active": counters.tunnels,
        "streams": counters.active["stream"],
        "buffered_bytes": counters.tunnel_buffered,
        "round_trip_seconds": None if mean is None else round(mean, 6),
        "endpoints": counters.endpoints.document(),
        "closes": _rows(CLOSE_LABELS, counters.tunnel_closes.counts),
    }


def _worker(worker: WorkerProcess) -> dict[str, Any]:
    return {
        "pid": worker.pid,
        "ready": worker.ready,
        "lag_seconds": round(worker.lag, 6),
        "connections_active": worker.active,
    }


def control_server(report: Report, reloader: Reloader) -> AdminServer:
    """The server of the control listener."""

    async def status(request: web.Request) -> web.Response:
        await report.crew.refresh()
        return web.json_response(report.status())

    async def observed(request: web.Request) -> web.Response:
        await report.crew.refresh()
        return web.json_response(report.table("observed"))

    async def ledger(request: web.Request) -> web.Response:
        await report.crew.refresh()
        return web.json_response(report.table("ledger"))

    async def config(request: web.Request) -> web.Response:
        return web.json_response(redacted(report.crew.in_force.settings))

    async def reload(request: web.Request) -> web.Response:
        outcome = await reloader.reload(Kind.CONTROL)
        failed = 422 if outcome.mistaken else 409
        status = failed if outcome.result is Result.FAILURE else 200
        return web.json_response(outcome.document(), status=status)

    async def drain(request: web.Request) -> web.Response:
        wait = await _asks_to_wait(request)
        report.drain.begin(report.crew.in_force.settings.drain.delay)
        if wait:
            await report.drain.wait()
        else:
            await report.crew.refresh()
        return web.json_response(report.drained())

    paths = {"/status": status, "/observed": observed, "/ledger": ledger, "/config": config}
    return AdminServer(paths, (check_host,), orders={"/reload": reload, "/drain": drain})


async def _asks_to_wait(request: web.Request) -> bool:
    """Read the body of a drain, which may be empty. Raises HTTPBadRequest."""
    try:
        asked = json.loads(await request.read() or b"null")
    except (ValueError, RecursionError):
        raise web.HTTPBadRequest(text="the body is not JSON\n") from None
    return isinstance(asked, dict) and asked.get("wait") is True


@web.middleware
async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse a request that was meant for another name."""
    host = request.headers.get("Host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    if name.lower() not in LOCAL_HOSTS:
        return web.Response(status=403, text="this is not the host you asked for\n")
    return await handler(request)


def _rows(labels: list[str], counts: dict[tuple[str, ...], int]) -> list[dict[str, str | int]]:
    return [
        {**dict(zip(labels, values, strict=True)), "count": count}
        for values, count in counts.items()
    ]
