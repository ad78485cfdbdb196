"""The `health` listener, which may face the pod network.

GET /healthz   the event loops turn; knows nothing of the upstream   (liveness)
GET /readyz    a worker serves, no drain, the upstream answered last  (readiness)
GET /metrics   Prometheus text
GET /drained   begins a drain, and answers when the last connection has ended

GET /probe/<name> and /metrics/upstream are passed on to the upstream: see `upstream.py`.

All but `/drained` only read. That one is for the preStop hook of a model server's container, which
a kubelet asks for over the pod network, and with GET: it can end a run, and do nothing else. The
pages of browsers, which may embed an image from anywhere, are refused it.
"""

import time
from collections.abc import Callable

from aiohttp import web

from pqproxy.supervisor.admin import AdminServer, from_no_page
from pqproxy.supervisor.crew import Crew
from pqproxy.supervisor.drain import Drain
from pqproxy.supervisor.metrics import Exposition
from pqproxy.supervisor.upstream import upstream_handlers
from pqproxy.telemetry.counters import ListenerCounters

# A worker that has not answered for so long will not; a busy one answers within milliseconds.
HUNG = 30.0

# How long a failed dial counts. For ever would be a trap: while we are not ready no connection
# comes, so nothing would dial, and no success would make us ready again.
FAILED_DIAL = 15.0

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def health_server(crew: Crew, exposition: Exposition, drain: Drain) -> AdminServer:
    """The server of the health listener."""

    async def healthz(request: web.Request) -> web.Response:
        return _answer(why_unhealthy(crew))

    async def readyz(request: web.Request) -> web.Response:
        return _answer(why_unready(crew))

    async def metrics(request: web.Request) -> web.Response:
        await crew.refresh()
        return web.Response(body=exposition.text(), headers={"Content-Type": METRICS_TYPE})

    async def drained(request: web.Request) -> web.Response:
        drain.begin(crew.in_force.settings.drain.delay)
        return web.Response(text=f"{await drain.wait()}\n")

    own = {"/healthz": healthz, "/readyz": readyz, "/metrics": metrics}
    orders = {"/drained": from_no_page(drained)}
    return AdminServer({**own, **orders, **upstream_handlers(lambda: crew.in_force.settings)})


def why_unhealthy(crew: Crew) -> str | None:
    """What only a restart would mend, or None."""
    if any(worker.lag > HUNG for worker in crew.live()):
        return "a worker hangs"
    return None


def why_unready(crew: Crew, clock: Callable[[], float] = time.monotonic) -> str | None:
    """Why no new connection should be sent here, or None."""
    if crew.draining:
        return "draining"
    if not crew.serves:
        return "no worker serves yet"
    for listener in crew.totals().listeners.values():
        if crew.in_force.listens(listener.name) and _dial_fails(listener, clock()):
            return f"the upstream of {listener.name} cannot be reached"
    return None


def _dial_fails(listener: ListenerCounters, now: float) -> bool:
    if listener.role == "egress" and listener.tunnels:
        return False  # one of several endpoints may be down; another one takes streams
    failed = listener.last_dial_failed
    if failed is None or now - failed > FAILED_DIAL:
        return False
    return failed > (listener.last_dial_succeeded or 0.0)


def _answer(trouble: str | None) -> web.Response:
    if trouble is None:
        return web.Response(text="ok\n")
    return web.Response(status=503, text=f"{trouble}\n")
