"""What the kubelet and Prometheus cannot reach themselves: a model server that is on loopback.

    GET /probe/<name>        the path that `health.probes` has under this name
    GET /metrics/upstream    the path that `health.upstream_metrics` says

They are asked of the upstream of the one ingress, and its status and body passed on. Nothing that
the asker sends goes there: whoever is on the pod network chooses among paths of the operator.
"""

import asyncio
import os
from collections.abc import Callable

import aiohttp
from aiohttp import web

from pqproxy.config.values import Address, Settings, UnixAddress
from pqproxy.supervisor.admin import Handler

PATIENCE = 10.0  # seconds for a whole answer; a kubelet waits one
MOST_AT_ONCE = 8  # a slow upstream is not to be stormed
LONGEST = 16 << 20  # bytes of an answer


def upstream_handlers(current: Callable[[], Settings]) -> dict[str, Handler]:
    """Handlers by path; `current` gives the settings that hold at the moment of a request."""
    at_once = asyncio.Semaphore(MOST_AT_ONCE)

    async def ask(path: str | None) -> web.Response:
        settings = current()
        if path is None or not settings.ingress:
            return web.Response(
                status=404, text="not among health.probes and health.upstream_metrics\n"
            )
        async with at_once:
            return await fetch(settings.ingress[0].forward, path)

    async def probe(request: web.Request) -> web.Response:
        return await ask(dict(current().probes).get(request.match_info["name"]))

    async def metrics(request: web.Request) -> web.Response:
        return await ask(current().upstream_metrics)

    return {"/probe/{name}": probe, "/metrics/upstream": metrics}


async def fetch(upstream: Address, path: str) -> web.Response:
    """GET `path` of `upstream`; 503 where there is no whole answer in time."""
    connector = (
        aiohttp.UnixConnector(upstream.path, force_close=True)
        if isinstance(upstream, UnixAddress)
        else aiohttp.TCPConnector(force_close=True)
    )
    host = "localhost" if isinstance(upstream, UnixAddress) else str(upstream)
    try:
        async with (
            aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=PATIENCE),
                cookie_jar=aiohttp.DummyCookieJar(),
            ) as session,
            session.get(f"http://{host}{path}", allow_redirects=False) as answer,
        ):
            body = await _read(answer.content)
            kind = answer.headers.get("Content-Type", "text/plain")
            return web.Response(status=answer.status, body=body, headers={"Content-Type": kind})
    except TimeoutError:
        return _failure(f"no answer from {upstream} within {PATIENCE:g} s")
    except aiohttp.ClientConnectorError as error:
        # Its own words end in `ssl:default`, which of a plaintext leg would mislead.
        known = error.os_error.errno or 0
        return _failure(f"{upstream}: {os.strerror(known).lower() if known > 0 else 'unreachable'}")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return _failure(f"{upstream}: {error}")


async def _read(content: aiohttp.StreamReader) -> bytes:
    """The whole of it. Raises ValueError where that is too long to be meant."""
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > LONGEST:
            raise ValueError(f"the answer is longer than {LONGEST} bytes")
    return bytes(body)


def _failure(reason: str) -> web.Response:
    return web.Response(status=503, text=f"{reason}\n")
