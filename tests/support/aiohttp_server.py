"""An aiohttp application in a thread, for tests that need a server of HTTP beside them."""

import asyncio
import threading

from aiohttp import web


class AiohttpServer:
    """Serves routes on a loopback port, unless told on a free one.

    A handler is cancelled when its client goes.
    """

    def __init__(self, *routes, port=0):
        self._port = port
        self._application = web.Application(client_max_size=1 << 30)
        self._application.add_routes(routes)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    def __enter__(self):
        self._thread.start()
        self._runner = web.AppRunner(
            self._application, access_log=None, handler_cancellation=True, shutdown_timeout=0.1
        )
        self._call(self._runner.setup())
        self._call(web.TCPSite(self._runner, "127.0.0.1", self._port).start())
        host, port = self._runner.addresses[0][:2]
        self.forward = f"{host}:{port}"
        return self

    def __exit__(self, *_):
        self._call(self._runner.cleanup())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(20)
