"""A process that answers like a model server: for a demo without llama.cpp.

`python -m pqproxy.demo.token_server` listens on a free loopback port, prints its address as the
only line on stdout, and streams words at a steady pace as server-sent events in the form of the
OpenAI API. There is no model in it.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from itertools import cycle, islice

from aiohttp import web

MODEL = "embedded-token-server"
PACE = 0.005  # seconds between tokens

_SENTENCE = (
    "No model is running here : these words come from a small token server at the pace of a "
    "large model , and each of them crossed the pair of sidecars in a record of its own ."
)


async def _words(count: int) -> AsyncIterator[str]:
    for word in islice(cycle(_SENTENCE.split()), count):
        await asyncio.sleep(PACE)
        yield f" {word}"


async def chat(request: web.Request) -> web.StreamResponse:
    """Answer a chat completion, streamed or whole."""
    asked = await request.json()
    count = int(asked.get("max_tokens") or 64)
    if not asked.get("stream"):
        text = "".join([word async for word in _words(count)])
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": "length"}
        return web.json_response({"object": "chat.completion", "model": MODEL, "choices": [choice]})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    async for word in _words(count):
        await response.write(_event({"content": word}, None))
    await response.write(_event({}, "length") + b"data: [DONE]\n\n")
    return response


def _event(delta: dict[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    chunk = {"object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


async def models(_request: web.Request) -> web.Response:
    """List the only model."""
    return web.json_response({"object": "list", "data": [{"id": MODEL, "object": "model"}]})


def application() -> web.Application:
    """The routes of the server."""
    app = web.Application()
    app.router.add_get("/v1/models", models)
    app.router.add_post("/v1/chat/completions", chat)
    return app


async def serve() -> None:
    """Serve until a signal ends the process."""
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    sys.stdout.write(f"http://{host}:{port}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve())
