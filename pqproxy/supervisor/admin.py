"""What the two aiohttp servers share: no version banner, a cap on connections.

What is asked is a GET and changes nothing; an order is a POST. A page in a browser can send either
to loopback as well, but not without a browser's marks: an order that bears them is refused.

The health listener faces the pod network, where anybody may hold connections open. At the cap
the oldest one goes, so a probe always gets in.
"""

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Middleware

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MOST_CONNECTIONS = 128
KEEPALIVE = 75.0
SHUTDOWN = 1.0  # seconds for an answer under way; a probe is not worth more

_OF_PAGES = ("Origin", "Referer", "Sec-Fetch-Site")  # headers


def _is_our_fault(record: logging.LogRecord) -> bool:
    """What is no HTTP is answered with 400; a traceback for each would let anybody fill the log."""
    return record.exc_info is None or not isinstance(record.exc_info[1], HttpProcessingError)


_log = logging.getLogger(__name__)
_log.addFilter(_is_our_fault)


class AdminServer:
    """Handlers of GET by path, and of POST as `orders`, on sockets that are already bound."""

    def __init__(
        self,
        paths: Mapping[str, Handler],
        middlewares: Sequence[Middleware] = (),
        orders: Mapping[str, Handler] = MappingProxyType({}),
    ) -> None:
        application = web.Application(middlewares=middlewares, client_max_size=1024)
        for path, handler in paths.items():
            application.router.add_get(path, handler, allow_head=False)
        for path, handler in orders.items():
            application.router.add_post(path, from_no_page(handler))
        application.on_response_prepare.append(_plain_headers)
        self._runner = web.AppRunner(
            application,
            access_log=None,
            logger=_log,
            handle_signals=False,
            keepalive_timeout=KEEPALIVE,
            shutdown_timeout=SHUTDOWN,
        )
        self._servers: list[asyncio.Server] = []

    async def start(self, sockets: list[socket.socket]) -> None:
        """Serve."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        self._servers = [await loop.create_server(self._accept, sock=one) for one in sockets]

    async def close(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.close()
        await self._runner.cleanup()

    def _accept(self) -> asyncio.Protocol:
        server = self._runner.server
        if server is None:
            raise ConnectionAbortedError("shutting down")
        connections = server.connections
        if len(connections) >= MOST_CONNECTIONS:
            connections[0].force_close()
        return server()


def from_no_page(handler: Handler) -> Handler:
    """Guard what changes anything: a browser asks for it only because a page made it.

    An image that a page embeds is a GET, without Origin, and from a page that hides itself without
    Referer; only to loopback it always says Sec-Fetch-Site. But all browsers say Mozilla.
    """

    async def guarded(request: web.Request) -> web.StreamResponse:
        from_page = any(name in request.headers for name in _OF_PAGES)
        if from_page or request.headers.get("User-Agent", "").startswith("Mozilla/"):
            return web.Response(status=403, text="pages of browsers give no orders here\n")
        return await handler(request)

    return guarded


async def _plain_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers["Server"] = "pqproxy"
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
